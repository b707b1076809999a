import { formatBytes } from "../../dump/progress.ts";
import { describeLongLock, type StatementForm, whoWaits } from "../../statement-facts/facts.ts";
import type {
  AttributeChange,
  CutoverStage,
  Drift,
  Loss,
  Plan,
  PlannedCutover,
  PlannedDump,
  PlannedMigration,
  PlannedRestore,
  PlannedRole,
  ReadTables,
  SizedTable,
  StatementEffect,
} from "../model.ts";

/** A name for people: schema `public` goes without saying. */
export const shortName = (name: string) => name.replace(/^public\./, "");

/** A number of things, such as `1 role`, `2 roles`. */
export function count(amount: number, thing: string): string {
  return `${amount} ${thing}${amount === 1 ? "" : "s"}`;
}

/** A number of rows for people: exact below ten thousand, else three digits with k, M or G. */
export function formatRows(rows: number): string {
  if (rows < 10_000) return String(rows);
  const units = ["k", "M", "G"];
  let value = rows / 1000;
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${Number(value.toPrecision(3))} ${units[0]}`;
}

/** The time between two instants, in its largest whole unit. @param since ISO 8601 */
export function formatAge(since: string, now: string): string {
  const minutes = Math.max(0, Math.floor((Date.parse(now) - Date.parse(since)) / 60_000));
  if (minutes < 60) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`;
}

function rowsOf(rows: number | null, counted: boolean): string {
  if (rows === null) return "rows not counted";
  const number = formatRows(rows);
  return `${counted || rows === 0 ? "" : "about "}${number} row${rows === 1 ? "" : "s"}`;
}

/** Such as `games (1.2 GB, about 9.1 M rows in 4 partitions)`. */
export function tableText({ name, bytes, rows, counted, partitions }: SizedTable): string {
  const within = partitions === 0 ? "" : ` in ${count(partitions, "partition")}`;
  return `${shortName(name)} (${formatBytes(bytes)}, ${rowsOf(rows, counted)}${within})`;
}

/** What a statement means for those who use a table. */
export function effectText({ form, table, lock, rows, blocks }: StatementEffect): string {
  if (blocks !== null) return describeLongLock(form as StatementForm, tableText(table));
  const waiting = whoWaits(lock);
  const work = rows === "untouched" ? "" : rows === "read" ? ", reads every row" : ", rewrites every row";
  const others = waiting === undefined ? "readers and writers continue" : `${waiting} for a moment`;
  return `${lock} on ${tableText(table)}${work}: ${others}`;
}

/** How much an effect matters: `long` keeps others waiting, `short` for a moment, `none` nobody. */
export function weightOf({ blocks, lock }: StatementEffect): "long" | "short" | "none" {
  if (blocks !== null) return "long";
  return whoWaits(lock) === undefined ? "none" : "short";
}

/** What is gone, such as `loses table users: 120 rows`. */
export function lossText({ what, rows, counted }: Loss): string {
  const [kind = "", name = ""] = what.split(/ (.*)/s);
  const amount =
    kind === "column" && rows !== null
      ? `${counted ? "" : "about "}${formatRows(rows)} value${rows === 1 ? "" : "s"}`
      : rowsOf(rows, counted);
  return `loses ${kind} ${shortName(name)}: ${amount}`;
}

const named = ({ name, from, to }: AttributeChange) =>
  `${name} ${from ?? ""} → ${to ?? "none"}`.replace("  ", " ");

/** Which tables a role reads, every exception by name. */
export function readsText({ total, whole, partly, not }: ReadTables): string {
  if (total === 0) return "no tables to read yet";
  const reading = whole.length + partly.length;
  const columns = partly.flatMap(({ table, without }) => without.map((column) => `${table}.${column}`));
  const exceptions = [...not, ...columns].map((name) => `not ${shortName(name)}`);
  return [
    `reads ${reading === total ? "all" : `${reading} of`} ${count(total, "table")}`,
    ...exceptions,
  ].join(", ");
}

/** A new role's attributes, and a changed one's. */
export function roleText({ change, access, attributes, reads, gains, loses }: PlannedRole): string {
  if (change === "drop") return "dropped; what it owns goes to the database's owner";
  const changes =
    change === "create"
      ? attributes
          .map(({ name, to }) => (name === "login" ? "" : `${name} ${to}`))
          .filter((text) => text !== "")
      : attributes.map(named);
  const parts = [
    ...(change === "create" ? [access ?? "owner"] : []),
    ...changes,
    ...gains.map((right) => `gains ${right.replace(" on table public.", " on table ")}`),
    ...loses.map((right) => `loses ${right.replace(" on table public.", " on table ")}`),
  ];
  return [parts.join(", "), ...(reads === null ? [] : [readsText(reads)])]
    .filter((text) => text !== "")
    .join("; ");
}

/** Such as `INSERT on table games, which nobody declared → revoked`. */
export function driftText({ found, becomes }: Drift): string {
  const text = found.replace(" on table public.", " on table ");
  return becomes === null ? text : `${text} → ${becomes}`;
}

/** How a migration runs, such as `2 statements, goes back`. */
export function migrationText({ language, statements, reversible, transaction }: PlannedMigration): string {
  const work =
    language === "js" ? "a module: its SQL shows when it runs" : count(statements.length, "statement");
  return [
    work,
    reversible ? "goes back" : "irreversible",
    ...(transaction ? [] : ["each statement commits by itself"]),
  ].join(", ");
}

/** The dump, and how old the last one is. */
export function dumpText({ when, path, made, last }: PlannedDump, now: string): string {
  const known =
    last === null
      ? "no dump yet"
      : `last one ${formatAge(last.createdAt, now)} old, ${formatBytes(last.bytes)}`;
  return made
    ? `${when} the migrations: ${path} (${known})`
    : `none: the one of this label is there (${known})`;
}

/** What a restore does, with the age of its dump. */
export function restoreText(
  { from, createdAt, made, serverVersion, tables, lost, missing }: PlannedRestore,
  now: string,
): string[] {
  const age = createdAt === null ? "age unknown" : `${formatAge(createdAt, now)} old`;
  if (!made) return [`none: the database is from ${from} already (${age})`];
  const version =
    serverVersion === null ? "" : `, ${count(tables, "table")} with rows, of PostgreSQL ${serverVersion}`;
  return [
    `${from} (${age}${version})`,
    ...lost.map((what) => `the database loses ${what}`),
    ...missing.map((name) => `then ${name}, which the dump lacks`),
  ];
}

/** A stage of a rehearsal. */
export function stageText({ name, seconds, rows, bytes }: CutoverStage): string {
  const figures = [rows === null ? "" : `${formatRows(rows)} rows`, bytes === null ? "" : formatBytes(bytes)];
  return [`${name}: ${seconds} s`, ...figures.filter((text) => text !== "")].join(", ");
}

/** The cutover, its rehearsal's figures and what stands in the way of a switch. */
export function cutoverText(
  { from, state, method, completed, rehearsal }: PlannedCutover,
  now: string,
): string[] {
  const what = completed
    ? "completed"
    : state === "switch"
      ? "switches clients over"
      : "rehearses beside the live source";
  const head = `${what}: ${from}, method ${method}`;
  if (rehearsal === null) return [head, ...(completed ? [] : ["not rehearsed yet"])];
  const { rehearsedAt, expectedDowntimeSeconds, stages, blocking, notes } = rehearsal;
  const downtime =
    expectedDowntimeSeconds === null
      ? ""
      : `, a switch would refuse writes for about ${expectedDowntimeSeconds} s`;
  return [
    head,
    `rehearsed ${formatAge(rehearsedAt, now)} ago${downtime}`,
    ...stages.map(stageText),
    ...blocking.map((text) => `in the way of a switch: ${text}`),
    ...notes.map((text) => `note: ${text}`),
  ];
}

/** Database, server and stack. */
export function placeText({
  server: { database, host, version },
  stack,
}: Pick<Plan, "server" | "stack">): string {
  const where = host === null ? "" : ` on ${host}`;
  const software = version === null ? "" : ` (PostgreSQL ${version.split(" ")[0]})`;
  return `${database}${where}${software}, stack ${stack}`;
}

/** The first line: database, server, stack, and where the head goes. */
export function headline({ server, stack, head }: Plan): string {
  const [from, to] = [head.from ?? "nothing applied", head.to ?? "nothing applied"];
  return `${placeText({ server, stack })}: ${from === to ? from : `${from} → ${to}`}`;
}

/** Why the database could not be read; undefined where it was. */
export function serverText({ server: { state, reason, database } }: Plan): string | undefined {
  if (state === "read") return undefined;
  if (state === "unmade") return "The database is not made yet: up makes it, and all below is new.";
  if (state === "absent")
    return `The database "${database}" is gone from its server: up makes it again, empty. ${reason}`;
  return `The database could not be read, so that this plan goes by the files and the stack's state alone. ${reason}`;
}

/** What stays as it is. */
export function untouchedText({ untouched: { migrations, roles } }: Plan): string {
  return `${count(migrations, "migration")}, ${count(roles, "role")}`;
}

/** Whether there is nothing to do and nothing to say. */
export function isQuiet({ changes, refusals, drift }: Plan): boolean {
  return !changes && refusals.length === 0 && drift.length === 0;
}

/** Everything that the migrations of a plan lose. */
export function lossesOf({ migrations: { apply, revert } }: Plan): { migration: string; text: string }[] {
  return [...apply, ...revert].flatMap(({ name, statements }) =>
    statements.flatMap(({ losses }) => losses.map((loss) => ({ migration: name, text: lossText(loss) }))),
  );
}

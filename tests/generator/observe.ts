// What a database holds, as pg_dump, PostgreSQL's catalogs and its rows show it: nothing of the runner's own reading.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type pg from "pg";
import { type ConnectionSettings, environmentOf } from "../../runner/postgres/connection.ts";
import { splitDumpText } from "../../runner/postgres/dump-text.ts";
import { type Programs, pgDumpFor } from "../../runner/postgres/programs.ts";
import { rowsOf } from "../../runner/postgres/rows.ts";

const run = promisify(execFile);

/** What pg_dump writes for each object, by its type, schema and name, in its own words and order of columns. */
export type Dump = ReadonlyMap<string, string>;

const session = /^(SET |SELECT pg_catalog\.set_config|\\(un)?restrict)/;
const options = /(?<=\bWITH \()[\w.]+=(?:'(?:[^']|'')*'|\w+)(?:, [\w.]+=(?:'(?:[^']|'')*'|\w+))+(?=\))/g;

/** Dumps a database's schema, owners and privileges apart. */
export async function dumpOf(programs: Programs, settings: ConnectionSettings): Promise<Dump> {
  const own = join(programs.directory, "pg_dump");
  const program = existsSync(own) ? own : join((await pgDumpFor(programs)).directory, "pg_dump");
  const args = ["--schema-only", "--no-owner", "--no-acl", "--exclude-schema=pgstack"];
  const env = { ...process.env, ...environmentOf(settings) };
  const { stdout } = await run(program, args, { env, maxBuffer: 1 << 28 });
  const entries = new Map<string, string>();
  for (const { type, schema, name, sql } of splitDumpText(stdout)) {
    const lines = sql.split("\n").filter((line) => line.trim() !== "" && !session.test(line));
    // storage options are shown in the order in which they were set
    const text = lines.join("\n").replace(options, (list) => list.split(", ").sort().join(", "));
    const key = [type, schema ?? "", name].join(" ");
    entries.set(
      key,
      [...(entries.get(key) ?? "").split("\n"), text]
        .filter((part) => part !== "")
        .sort()
        .join("\n"),
    );
  }
  return entries;
}

interface TableText {
  readonly head: string;
  readonly columns: readonly string[];
  readonly tail: string;
}

function tableText(sql: string): TableText | undefined {
  const found = /^(CREATE (?:(?:UNLOGGED |FOREIGN )?TABLE|TYPE) [^\n]*\()\n([\s\S]*?)\n(\)[\s\S]*)$/.exec(
    sql,
  );
  if (found === null) return undefined;
  const [, head = "", columns = "", tail = ""] = found;
  const [end = "", ...settings] = tail.split("\n"); // the columns' own settings follow in the columns' order
  return {
    head,
    columns: columns.split("\n").map((line) => line.replace(/,$/, "")),
    tail: [end, ...settings.sort()].join("\n"),
  };
}

const nameOf = (column: string) => /^\s*("(?:[^"]|"")*"|\S+)/.exec(column)?.[1] ?? "";
const expressionOf = (column: string) => / GENERATED ALWAYS AS \(.*$/.exec(column)?.[0];
const isMadeAgain = (column: string, before: string) =>
  expressionOf(column) !== undefined && expressionOf(column) !== expressionOf(before);
const isConstraint = (line: string) => line.startsWith("    CONSTRAINT ");

/**
 * The order of columns in which a table may be shown: PostgreSQL moves none, so those that were there stay in front, and
 * the others follow in the order in which they are expected. A column that becomes a generated one, or gets another
 * expression, is added again. Constraints follow the columns.
 */
function inOrderOf(expected: TableText, before: TableText | undefined): readonly string[] {
  const columns = expected.columns.filter((line) => !isConstraint(line));
  const kept = (before?.columns ?? [])
    .filter((line) => !isConstraint(line))
    .flatMap((line) =>
      columns.filter((column) => nameOf(column) === nameOf(line) && !isMadeAgain(column, line)),
    );
  const added = columns.filter((column) => !kept.includes(column));
  return [...kept, ...added, ...expected.columns.filter(isConstraint)];
}

function sameTable(found: string, expected: string, before: string | undefined): boolean {
  const [has, wants, had] = [found, expected, before ?? ""].map((sql) => tableText(sql));
  if (has === undefined || wants === undefined) return false;
  const text = (columns: readonly string[]) => columns.join("\n");
  const columns = [text(wants.columns), text(inOrderOf(wants, had))];
  return has.head === wants.head && has.tail === wants.tail && columns.includes(text(has.columns));
}

const sameWords = (one: string, other: string) =>
  one
    .split(/[\s,;]+/)
    .sort()
    .join(" ") ===
  other
    .split(/[\s,;]+/)
    .sort()
    .join(" ");

function firstDifference(found: string, expected: string): string {
  const [has, wants] = [found.split("\n"), expected.split("\n")];
  const only = (lines: string[], others: string[]) => lines.find((line) => !others.includes(line))?.trim();
  const difference = [only(has, wants), only(wants, has)];
  if (difference.every((line) => line === undefined))
    return `order of lines: found ${has.join(" ")}, expected ${wants.join(" ")}`;
  return `found "${difference[0] ?? ""}", expected "${difference[1] ?? ""}"`;
}

/** A line for each object that differs; `before` is what the database showed before it was changed. */
export function differencesOf(found: Dump, expected: Dump, before: Dump): string[] {
  const keys = [...new Set([...found.keys(), ...expected.keys()])];
  return keys.flatMap((key) => {
    const [has, wants] = [found.get(key), expected.get(key)];
    if (has === wants) return [];
    if (has === undefined) return [`${key} is missing`];
    if (wants === undefined) return [`unexpected ${key}`];
    if (key.startsWith("STATISTICS ") && sameWords(has, wants)) return []; // columns in the order that the table has
    return sameTable(has, wants, before.get(key)) ? [] : [`${key}: ${firstDifference(has, wants)}`];
  });
}

/** Owner and privileges of an object; the latter without those that an object has from the start. */
export interface Rights {
  readonly owner: string;
  readonly given: readonly string[];
  readonly initial: readonly string[];
}

const rightsQuery = `
  WITH objects AS (
    SELECT 'pg_class'::regclass AS class, oid, 0 AS sub, relnamespace AS space, relowner AS owner, relacl AS acl, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END AS kind
      FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum, relnamespace, relowner, attacl, 'c' FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attacl IS NOT NULL AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT 'pg_proc'::regclass, oid, 0, pronamespace, proowner, proacl, 'f' FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, t.oid, 0, typnamespace, typowner, typacl, 'T' FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid WHERE typtype IN ('e', 'd', 'r') OR relkind = 'c'
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, 0, stxnamespace, stxowner, NULL, NULL FROM pg_statistic_ext
    UNION ALL SELECT 'pg_collation'::regclass, oid, 0, collnamespace, collowner, NULL, NULL FROM pg_collation
    UNION ALL SELECT 'pg_ts_config'::regclass, oid, 0, cfgnamespace, cfgowner, NULL, NULL FROM pg_ts_config
  )
  SELECT (pg_identify_object(class, oid, sub)).type || ' ' || (pg_identify_object(class, oid, sub)).identity AS name, pg_get_userbyid(owner) AS owner,
    coalesce((SELECT array_agg(DISTINCT coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') || ' ' || privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END)
      FROM aclexplode(coalesce(acl, CASE WHEN kind IS NOT NULL THEN acldefault(kind::"char", owner) END)) WHERE grantee <> owner), '{}') AS given,
    coalesce((SELECT array_agg('PUBLIC ' || privilege_type) FROM aclexplode(CASE WHEN kind IS NOT NULL THEN acldefault(kind::"char", owner) END) WHERE grantee = 0), '{}') AS initial
  FROM objects WHERE space::regnamespace::text !~ '^(pg_|information_schema|pgstack)'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = objects.oid AND d.deptype = 'e')`;

/** The rights on all objects, by their name. */
export async function rightsOf(client: pg.ClientBase): Promise<ReadonlyMap<string, Rights>> {
  const rows = await rowsOf<Rights & { name: string }>(client, rightsQuery);
  return new Map(
    rows.map(({ name, owner, given, initial }) => [name, { owner, given: [...given].sort(), initial }]),
  );
}

const list = (values: Iterable<string>) => [...new Set(values)].sort().join(", ");

/** The models' privileges and, beyond them, those that the database has granted before; or just those of before. */
function expectedRights(
  had: Rights | undefined,
  wants: Rights | undefined,
  asBefore: boolean,
): readonly string[] {
  if (asBefore) return had?.given ?? [];
  const named = new Set((wants?.given ?? []).map((one) => one.replace("*", "")));
  const extra = (had?.given ?? []).filter(
    (one) => !had?.initial.includes(one) && !named.has(one.replace("*", "")),
  );
  return [...(wants?.given ?? []), ...extra];
}

/**
 * A line for each object whose rights are not those of the models and, beyond them, what the database had granted before;
 * without `models`, not those of before.
 */
export function otherRights(
  found: ReadonlyMap<string, Rights>,
  before: ReadonlyMap<string, Rights>,
  models?: ReadonlyMap<string, Rights>,
): string[] {
  return [...found].flatMap(([name, has]) => {
    const [had, wants] = [before.get(name), models?.get(name)];
    const expected = list(expectedRights(had, wants, models === undefined));
    const owner = had?.owner ?? has.owner;
    return [
      ...(list(has.given) === expected || (models === undefined && had === undefined)
        ? []
        : [`privileges on ${name}: found ${list(has.given)}, expected ${expected}`]),
      ...(has.owner === owner ? [] : [`owner of ${name}: found ${has.owner}, expected ${owner}`]),
    ];
  });
}

/** The rows of one table, each column apart, and the file that holds them. */
export interface Rows {
  readonly file: string;
  readonly persistence: string;
  readonly bound: string;
  readonly columns: ReadonlyMap<string, readonly (string | null)[]>;
}

const tablesQuery = `
  SELECT c.oid::regclass::text AS name, pg_relation_filenode(c.oid)::text AS file, relpersistence AS persistence,
    concat_ws(' ', pg_get_expr(relpartbound, c.oid), (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid)) AS bound,
    (SELECT json_agg(quote_ident(attname) ORDER BY attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
  FROM pg_class c WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema|pgstack)'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`;

/** All rows, by table. */
export async function rowsIn(client: pg.ClientBase): Promise<ReadonlyMap<string, Rows>> {
  const all = new Map<string, Rows>();
  const tables = await rowsOf<{ name: string; columns: string[] | null } & Omit<Rows, "columns">>(
    client,
    tablesQuery,
  );
  for (const { name, columns, ...table } of tables) {
    const names = columns ?? [];
    const values = names.map((column) => `t.${column}::text`).join(", ");
    const { rows } = await client.query({ text: `SELECT ${values} FROM ONLY ${name} t`, rowMode: "array" });
    const byColumn = names.map(
      (column, at) => [column, rows.map((row) => row[at]?.replace(/\.00$/, "") ?? null)] as const,
    );
    all.set(name, { ...table, columns: new Map([["", rows.map(() => "")], ...byColumn]) });
  }
  return all;
}

/**
 * A line for each table whose rows are other ones than before, in the columns that both have. A table that has got another
 * place below its parents is left out: its rows may have moved.
 */
export function lostRows(found: ReadonlyMap<string, Rows>, before: ReadonlyMap<string, Rows>): string[] {
  return [...before].flatMap(([name, had]) => {
    const has = found.get(name);
    if (has === undefined || has.bound !== had.bound) return [];
    return [...had.columns].flatMap(([column, values]) => {
      const now = has.columns.get(column);
      if (now === undefined || list(now.map(String)) === list(values.map(String))) return [];
      return [
        `rows of ${name}${column === "" ? "" : `, column ${column}`}: found ${now.join(" | ")}, expected ${values.join(" | ")}`,
      ];
    });
  });
}

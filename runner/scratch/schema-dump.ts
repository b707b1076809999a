import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ConnectionSettings } from "../postgres/connection.ts";
import { splitDumpText } from "../postgres/dump-text.ts";
import { type Programs, pgDumpFor } from "../postgres/programs.ts";
import { programEnvironment } from "../postgres/run-program.ts";
import { fits } from "../util/glob.ts";

const run = promisify(execFile);

/** What pg_dump shows of a schema: the statements of each object, by kind and name, in no order. */
export type DumpedSchema = ReadonlyMap<string, string>;

/** Security labels are of providers, which a scratch server does not load; to ask for them takes a while. */
const options = [
  "--no-security-labels",
  "--schema-only",
  "--no-owner",
  "--no-acl",
  "--no-tablespaces",
  "--exclude-schema=pgstack",
];
const settings = /^(SET |SELECT pg_catalog\.set_config|\\(un)?restrict)/;

/** Columns of a table and attributes of a type have an order that no ALTER can change: it is not compared. */
function withoutOrder(sql: string): string {
  const table = sql.match(
    /^(CREATE (?:(?:UNLOGGED |FOREIGN )?TABLE|TYPE) [^\n]*\()\n([\s\S]*?)\n(\)[\s\S]*)$/,
  );
  if (table === null) return sql.startsWith("CREATE DOMAIN ") ? sql.replace(namedNotNull, "NOT NULL") : sql;
  const [, head = "", columns = "", tail = ""] = table;
  const lines = columns.split("\n").map((line) => line.replace(/,$/, ""));
  const unnamed = lines.map((line) => line.replace(namedNotNull, "NOT NULL"));
  const [end = "", ...settings] = tail.split("\n"); // the columns' own settings follow in the columns' order
  return [head, ...unnamed.sort(), end, ...settings.sort()].join("\n");
}

/** The columns of a statistics object have the order that they have in the table. */
function withSortedColumns(sql: string): string {
  return sql.replace(
    /^(CREATE STATISTICS .* ON )(.*)( FROM .*)$/s,
    (_, head, list, tail) => `${head}${list.split(", ").sort().join(", ")}${tail}`,
  );
}

/** From PostgreSQL 17 (a domain's) and 18 on NOT NULL has a name, which stays as it was through renames. */
const namedNotNull = /\bCONSTRAINT (?:"(?:[^"]|"")*"|[^\s"]+) NOT NULL\b/g;

const storageOptions =
  /(?<=\bWITH \()[\w.]+=(?:'(?:[^']|'')*'|\w+)(?:, [\w.]+=(?:'(?:[^']|'')*'|\w+))+(?=\))/g;

/** Storage options are shown in the order in which they were set. */
function withSortedOptions(sql: string): string {
  return sql.replace(storageOptions, (options) => options.split(", ").sort().join(", "));
}

function normalised(body: string): string {
  const lines = body
    .split("\n")
    .filter((line) => line.trim() !== "" && !settings.test(line) && !line.startsWith("--"));
  return withSortedColumns(withoutOrder(withSortedOptions(canonicalSql(lines.join("\n")))));
}

const ownDefault =
  /^ALTER TABLE (?:ONLY )?\S+ ALTER COLUMN (?<column>"(?:[^"]|"")*"|\S+) SET (?<value>DEFAULT [\s\S]*);$/;

/**
 * pg_dump writes a default apart from its table where both depend on each other, for one table of several by the order in
 * which they were created: here each default is in its table.
 */
function withDefaultsInTables(entries: Map<string, string>): Map<string, string> {
  for (const [key, sql] of entries) {
    const [kind, schema, name = ""] = key.split("\t");
    const { column, value } = (kind === "DEFAULT" && sql.match(ownDefault)?.groups) || {};
    const table = ["TABLE", schema, name.slice(0, name.lastIndexOf(" "))].join("\t");
    const lines = entries.get(table)?.split("\n") ?? [];
    const place = lines.findIndex((line) => line.startsWith(`    ${column} `));
    if (place < 0) continue;
    lines[place] = lines[place]?.replace(/( NOT NULL)?$/, (notNull) => ` ${value}${notNull}`) ?? "";
    const end = lines.findIndex((line) => line.startsWith(")"));
    const sorted = [...lines.slice(0, 1), ...lines.slice(1, end).sort(), ...lines.slice(end)];
    entries.set(table, sorted.join("\n"));
    entries.delete(key);
  }
  return entries;
}

/** Cuts a dump into its objects. Pure. */
export function readDump(text: string): DumpedSchema {
  const entries = new Map<string, string>();
  for (const { type, schema, name, sql } of splitDumpText(text)) {
    const body = normalised(sql);
    const key = [type, schema ?? "", name].join("\t");
    entries.set(key, entries.has(key) ? [entries.get(key), body].sort().join("\n") : body);
  }
  return withDefaultsInTables(entries);
}

/** The paths under which `--ignore` may name an entry such as "fk constraint public.t t_a_fkey". */
function pathsOf(key: string): string[] {
  const [kind = "", schema = "", name = ""] = key.split("\t");
  const parts = name.replace(/^(TABLE|VIEW|INDEX|COLUMN|FUNCTION|TYPE|SEQUENCE|SCHEMA) /, "").split(/[ .(]/);
  if (kind === "SCHEMA" || name.startsWith("SCHEMA ")) return [parts.join("."), `${parts.join(".")}.*`];
  return [schema, ...parts.map((_, end) => [schema, ...parts.slice(0, end + 1)].join("."))];
}

/** A dump without what `--ignore` names. */
export function withoutIgnored(dump: DumpedSchema, ignore: readonly string[]): DumpedSchema {
  if (ignore.length === 0) return dump;
  const ignored = (key: string) => pathsOf(key).some((path) => ignore.some((pattern) => fits(pattern, path)));
  return new Map([...dump].filter(([key]) => !ignored(key)));
}

/** Dumps the schema of a scratch database. */
export async function dumpSchema(
  programs: Programs,
  database: ConnectionSettings,
  ignore: readonly string[] = [],
): Promise<DumpedSchema> {
  const own = join(programs.directory, "pg_dump"); // an embedded server comes without client programs
  const program = existsSync(own) ? own : join((await pgDumpFor(programs)).directory, "pg_dump");
  const { stdout } = await run(program, options, {
    env: programEnvironment(database),
    maxBuffer: 1024 * 1024 * 1024,
  });
  return withoutIgnored(readDump(stdout), ignore);
}

/** Kinds that no revision writes, since they hold passwords: the catalog tells where they differ. */
const unwritten = /^(COMMENT\t.*\t)?(USER MAPPING|SUBSCRIPTION)\b/;

/** Dumps what a revision can write of a scratch database's schema. */
export async function dumpWritten(
  { programs, ignore }: { readonly programs: Programs; readonly ignore: readonly string[] },
  database: ConnectionSettings,
): Promise<DumpedSchema> {
  const dump = await dumpSchema(programs, database, ignore);
  return new Map([...dump].filter(([key]) => !unwritten.test(key)));
}

function describe(key: string): string {
  const [type = "", schema = "", name = ""] = key.split("\t");
  return `${type.toLowerCase()} ${schema === "" ? "" : `${schema}.`}${name}`;
}

function firstDifference(found: string, expected: string): string {
  const [has, wants] = [found.split("\n"), expected.split("\n")];
  const only = (lines: string[], others: string[]) =>
    lines.find((line) => !others.includes(line))?.trim() ?? "";
  return `found "${only(has, wants)}", expected "${only(wants, has)}"`;
}

/** A line for each object that differs. Pure. */
export function dumpDifferences(found: DumpedSchema, expected: DumpedSchema): string[] {
  const missing = [...expected.keys()].filter((key) => !found.has(key));
  const extra = [...found.keys()].filter((key) => !expected.has(key));
  const changed = [...found].flatMap(([key, sql]) => {
    const wanted = expected.get(key) ?? sql;
    return wanted === sql ? [] : [`${describe(key)} differs: ${firstDifference(sql, wanted)}`];
  });
  const lines = [
    ...missing.map((key) => `${describe(key)} is missing`),
    ...extra.map((key) => `unexpected ${describe(key)}`),
  ];
  return [...lines, ...changed];
}

export const list = /\(ARRAY\[((?:(?:, )?'(?:[^']|'')*'::character varying)+)\]\)::text\[\]/g;

export const item = /'(?:[^']|'')*'::character varying/g;

/**
 * PostgreSQL shows `a IN ('x', 'y')` on a varchar in a form that it reads back as another one, so that the same
 * constraint looks different once it was made from its own definition. This is the form that stays.
 */
export function canonicalSql(sql: string): string {
  if (!sql.includes("::text[]")) return sql;
  return sql.replace(list, (_, items: string) => `ARRAY[${items.replace(item, "($&)::text")}]`);
}

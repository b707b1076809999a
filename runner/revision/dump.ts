import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ConnectionSettings, environmentOf } from "../connection.ts";
import type { Programs } from "../server/programs.ts";

const run = promisify(execFile);

/** What pg_dump shows of a schema: the statements of each object, by kind and name, in no order. */
export type DumpedSchema = ReadonlyMap<string, string>;

const options = ["--schema-only", "--no-owner", "--no-acl", "--no-tablespaces", "--exclude-schema=pgstack"];
const header =
  /^--\n-- (?:Data for )?Name: (?<name>.*); Type: (?<type>.*); Schema: (?<schema>.*); Owner: .*\n--\n/gm;
const settings = /^(SET |SELECT pg_catalog\.set_config|\\(un)?restrict)/;

/** The columns of a table have an order of their own that no ALTER TABLE can change: it is not compared. */
function withoutOrder(sql: string): string {
  const table = sql.match(/^(CREATE (?:UNLOGGED |FOREIGN )?TABLE [^\n]*\()\n([\s\S]*?)\n(\)[\s\S]*)$/);
  if (table === null) return sql;
  const [, head = "", columns = "", tail = ""] = table;
  const lines = columns.split("\n").map((line) => line.replace(/,$/, ""));
  return [head, ...lines.sort(), tail].join("\n");
}

function normalised(body: string): string {
  const lines = body
    .split("\n")
    .filter((line) => line.trim() !== "" && !settings.test(line) && !line.startsWith("--"));
  return withoutOrder(lines.join("\n"));
}

/** Cuts a dump into its objects. Pure. */
export function readDump(text: string): DumpedSchema {
  const entries = new Map<string, string>();
  const heads = [...text.matchAll(header)];
  for (const [index, match] of heads.entries()) {
    const body = normalised(text.slice(match.index + match[0].length, heads[index + 1]?.index));
    const { type = "", schema = "", name = "" } = match.groups ?? {};
    const key = `${type.toLowerCase()} ${schema === "-" ? "" : `${schema}.`}${name}`;
    entries.set(key, entries.has(key) ? [entries.get(key), body].sort().join("\n") : body);
  }
  return entries;
}

/** Dumps the schema of a scratch database. */
export async function dumpSchema(programs: Programs, database: ConnectionSettings): Promise<DumpedSchema> {
  const { stdout } = await run(join(programs.directory, "pg_dump"), options, {
    env: { ...process.env, ...environmentOf(database), LC_ALL: "C" },
    maxBuffer: 1024 * 1024 * 1024,
  });
  return readDump(stdout);
}

/** A line for each object that differs. Pure. */
export function dumpDifferences(found: DumpedSchema, expected: DumpedSchema): string[] {
  const missing = [...expected.keys()].filter((key) => !found.has(key)).map((key) => `${key} is missing`);
  const extra = [...found.keys()].filter((key) => !expected.has(key)).map((key) => `${key} is too much`);
  const changed = [...found].flatMap(([key, sql]) => {
    const wanted = expected.get(key);
    return wanted === undefined || wanted === sql ? [] : [`${key} differs: ${firstDifference(sql, wanted)}`];
  });
  return [...missing, ...extra, ...changed];
}

function firstDifference(found: string, expected: string): string {
  const [has, wants] = [found.split("\n"), expected.split("\n")];
  const only = (lines: string[], others: string[]) =>
    lines.find((line) => !others.includes(line))?.trim() ?? "";
  return `found "${only(has, wants)}", expected "${only(wants, has)}"`;
}

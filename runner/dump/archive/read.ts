import type { Programs } from "../../postgres/programs.ts";
import { runProgram } from "../../postgres/run-program.ts";
import { RefusedError, UserError } from "../../util/errors.ts";
import { useEntryList, withEntryList } from "./entry-list.ts";
import { type Archive, type ArchiveEntry, ArchiveParser } from "./parser.ts";

/** How a person names an object of a dump, such as `INDEX public.users_name_idx`. */
export function entryLabel(entry: Pick<ArchiveEntry, "type" | "schema" | "name">): string {
  if (entry.name.startsWith(`${entry.type} `)) return entry.name; // as a user mapping's
  return `${entry.type} ${entry.schema === null ? "" : `${entry.schema}.`}${entry.name}`;
}

/** The tables whose rows a dump holds. */
export function tableData(archive: Archive): ArchiveEntry[] {
  return archive.entries.filter((entry) => entry.type === "TABLE DATA");
}

/** Sum of the rows of all tables. */
export function rowsOf(archive: Archive): number {
  return tableData(archive).reduce((sum, entry) => sum + entry.rows, 0);
}

/**
 * Reads a dump from its first byte to its last, as pg_restore would. Throws UserError when it is damaged or cut
 * short: its table of contents alone would not show that.
 */
export async function readArchive(path: string, programs: Programs, signal?: AbortSignal): Promise<Archive> {
  const { archive, complete } = await parseScript(path, programs, { signal });
  if (!complete) throw damaged(path, "the rows of a table have no end");
  return archive;
}

/** How pg_restore is asked for a script. */
interface ScriptOptions {
  /** Arguments that narrow what it prints. */
  readonly args?: readonly string[];
  readonly signal?: AbortSignal | undefined;
  /** An open file that it reads as its standard input. */
  readonly input?: number;
}

/** Reads what pg_restore prints of a dump. */
async function parseScript(path: string, programs: Programs, options: ScriptOptions = {}) {
  const { args = [], signal, input } = options;
  const parser = new ArchiveParser();
  const errors: string[] = [];
  const code = await runProgram({
    programs,
    program: "pg_restore",
    args: ["--verbose", "--no-owner", "--no-privileges", "--file=-", ...args, "--", path],
    signal,
    input,
    onLine: (line) => {
      if (/error|fatal/.test(line)) errors.push(line.replace(/^pg_restore: /, ""));
    },
    onOutput: async (output) => {
      for await (const chunk of output) parser.push(chunk as Buffer);
    },
  });
  if (code !== 0) throw damaged(path, errors.slice(0, 3).join("; ") || `pg_restore ended with ${code}`);
  return parser.finish();
}

/** Says that a dump cannot be used, and why. */
export function damaged(path: string, reason: string): UserError {
  return new UserError(`The dump ${path} cannot be read whole: ${reason}. It is damaged or incomplete.`);
}

/** A dump's table of contents as `pg_restore --list` prints it; `more` widens it. */
export async function listArchive(
  path: string,
  programs: Programs,
  more: readonly string[] = [],
): Promise<string> {
  let text = "";
  const errors: string[] = [];
  const code = await runProgram({
    programs,
    program: "pg_restore",
    args: ["--list", ...more, "--", path],
    onLine: (line) => errors.push(line.replace(/^pg_restore: /, "")),
    onOutput: async (output) => {
      for await (const chunk of output) text += chunk;
    },
  });
  if (errors.some((line) => /unsupported version/.test(line)))
    throw new RefusedError(
      `The dump ${path} was written by a newer pg_dump than the newest pg_restore here, ${programs.version}, can read. ` +
        "Install the client programs of its version.",
    );
  if (code !== 0) throw damaged(path, errors.slice(0, 3).join("; ") || "it has no table of contents");
  return text;
}

/** Versions of the server and of the pg_dump that a dump comes from. */
export async function archiveVersions(
  path: string,
  programs: Programs,
): Promise<{ server: string; program: string }> {
  const text = await listArchive(path, programs);
  const server = text.match(/^; +Dumped from database version: (\S+)/m)?.[1];
  const program = text.match(/^; +Dumped by pg_dump version: (\S+)/m)?.[1];
  if (server === undefined || program === undefined) throw damaged(path, "its versions are missing");
  return { server, program };
}

/** A line of the table of contents: `ID; CLASS OID TYPE SCHEMA NAME OWNER`, where blanks are in types and names too. */
const listLine = /^(\d+); \d+ (\d+) (.*)$/gm;

/** What a dump may hold beside its objects, and why a restore leaves it out. */
const unrestored = [
  [/^ACL /, "rights", "GRANT and REVOKE: each role keeps the rights that it has in the target"],
  [/^DEFAULT ACL /, "default privileges", "ALTER DEFAULT PRIVILEGES: those of the target count"],
  [/^DATABASE PROPERTIES /, "settings of its database", "ALTER DATABASE … SET: those of the target count"],
] as const;

/** A line for each kind of entries that a restore leaves out as a whole, for people. */
export async function unrestoredKinds(path: string, programs: Programs): Promise<string[]> {
  const list = await listArchive(path, programs, ["--create"]); // without it, the database's own entries are not shown
  const entries = [...list.matchAll(listLine)].map(([, , , rest = ""]) => rest);
  return unrestored.flatMap(([form, what, why]) => {
    const count = entries.filter((rest) => form.test(rest)).length;
    return count === 0 ? [] : [`the dump's ${what} (${count}) were left out (${why})`];
  });
}

/** The rows of an entry, as they are known from elsewhere. */
export type KnownRows = (entry: Pick<ArchiveEntry, "id" | "schema" | "name">) => number;

/**
 * Reads the objects of a dump without its rows, for one whose rows are read or verified in another way; undefined
 * where it holds kinds of data that only pg_restore can tell. `textBytes` is without the rows.
 */
export async function readContents(
  path: string,
  programs: Programs,
  known: KnownRows,
  signal?: AbortSignal,
): Promise<Archive | undefined> {
  const [{ archive }, list] = await Promise.all([
    parseScript(path, programs, { args: ["--schema-only"], signal }),
    listArchive(path, programs, ["--no-privileges"]),
  ]);
  const byId = new Map(archive.entries.map((entry) => [entry.id, entry]));
  const data = dataEntries(list, archive.entries).filter(({ id }) => !byId.has(id));
  const named = await withNames(path, programs, data);
  for (const entry of named)
    byId.set(entry.id, entry.type === "TABLE DATA" ? { ...entry, rows: known(entry) } : entry);
  const entries = [...list.matchAll(/^(\d+); /gm)].map(([, id]) => byId.get(Number(id)));
  return entries.every((entry) => entry !== undefined) ? { ...archive, entries } : undefined;
}

/** An entry that --schema-only skips. */
const dataLine = /^(\d+); \d+ (\d+) (TABLE DATA|SEQUENCE SET|BLOBS|BLOB METADATA|BLOB) (.*)$/gm;

/** The list's blanks are ambiguous, so relations are found by the OID that they share with their data; `name` is empty where none is. */
function dataEntries(list: string, objects: readonly ArchiveEntry[]): ArchiveEntry[] {
  const byOid = new Map(objects.filter(({ type }) => isRelation(type)).map((entry) => [entry.oid, entry]));
  return [...list.matchAll(dataLine)].map(([, id, oid, type = "", rest = ""]) => {
    const isOfRelation = type === "TABLE DATA" || type === "SEQUENCE SET";
    const { schema, name } = byOid.get(Number(oid)) ?? { schema: null, name: isOfRelation ? "" : rest };
    return {
      id: Number(id),
      oid: Number(oid),
      type,
      schema,
      name,
      tablespace: null,
      definition: "",
      rows: 0,
    };
  });
}

const isRelation = (type: string) => /^(FOREIGN )?TABLE$|^SEQUENCE$/.test(type);

/**
 * Data of a relation that the dump does not make belongs to an extension's: pg_restore tells its schema and name, as it
 * prints the rows, which are few.
 */
async function withNames(
  path: string,
  programs: Programs,
  data: readonly ArchiveEntry[],
): Promise<ArchiveEntry[]> {
  const unnamed = data.filter(({ name }) => name === "");
  if (unnamed.length === 0) return [...data];
  const { archive } = await withEntryList(unnamed, (input) =>
    parseScript(path, programs, { args: ["--data-only", useEntryList], input }),
  );
  const byId = new Map(archive.entries.map((entry) => [entry.id, entry]));
  return data.map((entry) => {
    const { schema = entry.schema, name = entry.name } = (entry.name === "" && byId.get(entry.id)) || {};
    return { ...entry, schema, name };
  });
}

/**
 * The rows of one small table of a dump, by column, in COPY's own text form; none where the dump does not hold it.
 * Names are taken literally.
 */
export async function readTable(
  path: string,
  programs: Programs,
  table: { readonly schema: string; readonly table: string },
): Promise<Record<string, string>[]> {
  let text = "";
  const code = await runProgram({
    programs,
    program: "pg_restore",
    args: ["--data-only", `--schema=${table.schema}`, `--table=${table.table}`, "--file=-", "--", path],
    onOutput: async (output) => {
      for await (const chunk of output) text += chunk;
    },
  });
  const found = text.match(/^COPY .* \((.*)\) FROM stdin;\n([\s\S]*?)^\\\.$/m);
  if (code !== 0 || found === null) return [];
  const columns = (found[1] ?? "").split(", ");
  const lines = (found[2] ?? "").split("\n").slice(0, -1);
  return lines.map((line) =>
    Object.fromEntries(line.split("\t").map((value, index) => [columns[index] ?? "", value])),
  );
}

import type { Programs } from "../../postgres/programs.ts";
import { runProgram } from "../../postgres/run-program.ts";
import { RefusedError, UserError } from "../../util/errors.ts";
import { type Archive, type ArchiveEntry, ArchiveParser } from "./parser.ts";

/** How a person names an object of a dump, such as `INDEX public.users_name_idx`. */
export function entryLabel(entry: Pick<ArchiveEntry, "type" | "schema" | "name">): string {
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
  const { archive, complete } = await parseScript(path, programs, [], signal);
  if (!complete) throw damaged(path, "the rows of a table have no end");
  return archive;
}

/** What pg_restore prints of a dump, read; `more` narrows it. */
export async function parseScript(
  path: string,
  programs: Programs,
  more: readonly string[],
  signal?: AbortSignal,
) {
  const parser = new ArchiveParser();
  const errors: string[] = [];
  const code = await runProgram({
    programs,
    program: "pg_restore",
    args: ["--verbose", "--no-owner", "--no-privileges", "--file=-", ...more, "--", path],
    signal,
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

/** A dump's table of contents as `pg_restore --list` prints it. */
export async function listArchive(path: string, programs: Programs): Promise<string> {
  let text = "";
  const errors: string[] = [];
  const code = await runProgram({
    programs,
    program: "pg_restore",
    args: ["--list", "--", path],
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
    parseScript(path, programs, ["--schema-only"], signal),
    listArchive(path, programs),
  ]);
  const byId = new Map(archive.entries.map((entry) => [entry.id, entry]));
  for (const entry of dataEntries(list, archive.entries, known))
    if (!byId.has(entry.id)) byId.set(entry.id, entry);
  const entries = [...list.matchAll(/^(\d+); /gm)].map(([, id]) => byId.get(Number(id)));
  return entries.every((entry) => entry !== undefined) ? { ...archive, entries } : undefined;
}

/** An entry that --schema-only skips: `ID; CLASS OID TYPE SCHEMA NAME OWNER`, where blanks are in names too. */
const dataLine = /^(\d+); \d+ (\d+) (TABLE DATA|SEQUENCE SET|BLOBS|BLOB METADATA|BLOB) (.*)$/gm;

/** The list's blanks are ambiguous, so tables are found by the OID that they share with their data. */
function dataEntries(list: string, objects: readonly ArchiveEntry[], known: KnownRows): ArchiveEntry[] {
  const byOid = new Map(objects.map((entry) => [`${entry.type} DATA ${entry.oid}`, entry]));
  return [...list.matchAll(dataLine)].map(([, id, oid, type = "", rest = ""]) => {
    const { schema, name } = byOid.get(`${type} ${oid}`) ?? { schema: null, name: rest };
    const entry = { id: Number(id), oid: Number(oid), type, schema, name, tablespace: null, definition: "" };
    return { ...entry, rows: type === "TABLE DATA" ? known(entry) : 0 };
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

import type { Programs } from "../server/programs.ts";
import { listArchive, parseScript } from "./archive.ts";
import type { Archive, ArchiveEntry } from "./archive-parser.ts";

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

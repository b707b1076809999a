import { chownSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { RefusedError } from "../../util/errors.ts";

/** Where a database is, as PgBouncer connects to it. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/** An entry of the section `[databases]`. */
export interface Entry {
  /** The database's name for clients. */
  readonly name: string;
  /** The connect string, as it stands in the file. */
  readonly text: string;
  /** Of `text` in the file. */
  readonly start: number;
}

/** A name, bare or quoted, and its connect string: https://www.pgbouncer.org/config.html#section-databases */
const line = /^([ \t]*(?:"((?:[^"]|"")*)"|([\w.*-]+))[ \t]*=[ \t]*)(.*?)[ \t\r]*$/;

/** Every entry of `[databases]`, in the order of the file. Comments and other sections are passed over. */
export function entriesOf(file: string): Entry[] {
  const entries: Entry[] = [];
  let inside = false;
  let start = 0;
  for (const text of file.split("\n")) {
    const section = /^\s*\[([^\]]*)\]/.exec(text)?.[1];
    if (section !== undefined) inside = section === "databases";
    const [, head = "", quoted, bare, value = ""] = (inside && line.exec(text)) || [];
    const name = quoted?.replaceAll('""', '"') ?? bare;
    if (name !== undefined) entries.push({ name, text: value, start: start + head.length });
    start += text.length + 1;
  }
  return entries;
}

/** One `key=value` of a connect string; a value with blanks stands in quotes, a quote in it is doubled. */
const pair = /(\w+)\s*=\s*('(?:[^']|'')*'|\S*)/g;

/** The values of a connect string by key. */
export function valuesOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(pair)].map(([, key = "", value = ""]) => [
    key,
    value.startsWith("'") ? value.slice(1, -1).replaceAll("''", "'") : value,
  ]);
  return Object.fromEntries(pairs);
}

function quote(value: string): string {
  return /^[\w.,:/-]+$/.test(value) ? value : `'${value.replaceAll("'", "''")}'`;
}

/** The connect string of an entry, led to another place; whatever else it says stays as it is. */
export function redirectedTo({ name, text }: Pick<Entry, "name" | "text">, place: Place): string {
  const wanted = new Map([
    ["host", place.host],
    ["port", String(place.port)],
    ["dbname", place.database],
  ]);
  const present = valuesOf(text);
  if (place.database === name && present.dbname === undefined) wanted.delete("dbname");
  const changed = text.replace(pair, (whole, key: string) => {
    const value = wanted.get(key);
    wanted.delete(key);
    return value === undefined ? whole : `${key}=${quote(value)}`;
  });
  return [changed, ...[...wanted].map(([key, value]) => `${key}=${quote(value)}`)].join(" ").trim();
}

/** The entry of that name which counts: PgBouncer lets a later one replace an earlier. */
export function entryNamed(file: string, name: string): Entry | undefined {
  return entriesOf(file).findLast((entry) => entry.name === name);
}

/** The file with another connect string for an entry; every other byte is the same. */
export function withEntry(file: string, { start, text }: Entry, connect: string): string {
  return file.slice(0, start) + connect + file.slice(start + text.length);
}

/** Reads the file. Throws RefusedError where that cannot be done, or where writing it again would change bytes. */
export function readConfig(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
  } catch (error) {
    throw new RefusedError(`PgBouncer's configuration cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Replaces a file that is there, whole or not at all; a link stays one, and owner and mode stay. */
export function replaceConfig(path: string, before: string, after: string): void {
  if (before === after) return;
  const file = realpathSync(path);
  const made = `${file}.pgstack-${process.pid}`;
  try {
    const { mode, uid, gid } = statSync(file);
    writeFileSync(made, after, { mode: mode & 0o777, flush: true });
    chownSync(made, uid, gid);
    if (readConfig(file) !== before) throw new Error("somebody else changed it at this moment");
    renameSync(made, file);
  } catch (error) {
    rmSync(made, { force: true });
    throw new RefusedError(
      `PgBouncer's configuration ${path} cannot be replaced: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

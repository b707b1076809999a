import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import { useEntryList, withEntryList } from "../../dump/archive/entry-list.ts";
import type { ArchiveEntry } from "../../dump/archive/parser.ts";
import { withClient } from "../../postgres/connection.ts";
import { copyInto } from "../../postgres/copy.ts";
import { isSlowIndex, slowIndexMegabytes } from "../../postgres/index-memory.ts";
import type { Programs } from "../../postgres/programs.ts";
import { runProgram } from "../../postgres/run-program.ts";
import { identifier } from "../../postgres/sql.ts";
import { UserError } from "../../util/errors.ts";
import type { RestoreContext } from "../context.ts";
import { failureText } from "./failures.ts";
import { sessionSettings } from "./load-entries.ts";

/** A table whose rows would keep one session busy while the others have nothing left to do. */
export interface LargeTable {
  readonly entry: ArchiveEntry;
  /** Path of its rows. */
  readonly file: string;
  readonly bytes: number;
  /** As pg_restore begins the rows: `COPY table (columns) FROM stdin;`. */
  readonly statement: string;
}

/** Below this, several sessions gain less than they cost. */
const leastBytes = 2 ** 24;

/** A dump, the program that reads it, and the number of sessions that load it. */
interface DumpToLoad {
  readonly path: string;
  readonly programs: Programs;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/**
 * The tables with more than a session's share of all bytes, the largest first; only those of an uncompressed directory,
 * whose rows can be handed out to several sessions.
 */
export async function largeTables(dump: DumpToLoad, entries: readonly ArchiveEntry[]): Promise<LargeTable[]> {
  const tables = entries.filter(({ type }) => type === "TABLE DATA");
  const sized = await Promise.all(
    tables.map(async (entry) => {
      const file = join(dump.path, `${entry.id}.dat`);
      const bytes = await stat(file).then(
        ({ size }) => size,
        () => 0,
      );
      return { entry, file, bytes };
    }),
  );
  const share = sized.reduce((sum, { bytes }) => sum + bytes, 0) / dump.jobs;
  const large = sized.filter(({ bytes }) => dump.jobs > 1 && bytes > Math.max(share, leastBytes));
  const found: LargeTable[] = [];
  for (const { entry, file, bytes } of large.sort((one, other) => other.bytes - one.bytes)) {
    const statement = (await holdsRows(file)) ? await copyStatement(dump, entry) : undefined;
    if (statement !== undefined) found.push({ entry, file, bytes, statement });
  }
  return found;
}

/** Asks pg_restore, which knows the columns' order in the dump, and ends it as soon as the rows begin. */
async function copyStatement(
  { path, programs, signal }: DumpToLoad,
  entry: ArchiveEntry,
): Promise<string | undefined> {
  let statement: string | undefined;
  const begun = new AbortController();
  const read = (list: number) =>
    runProgram({
      programs,
      program: "pg_restore",
      args: ["--data-only", useEntryList, "--file=-", "--", path],
      input: list,
      signal: AbortSignal.any([signal, begun.signal]),
      onOutput: async (output) => {
        let text = "";
        for await (const chunk of output) {
          text += chunk;
          statement = text.match(/^COPY .* FROM stdin;$/m)?.[0];
          if (statement !== undefined) return begun.abort();
        }
      },
    });
  await withEntryList([entry], read).catch((error) => {
    signal.throwIfAborted();
    if (!begun.signal.aborted) throw error;
  });
  return statement;
}

/** What follows on the rows of large tables and has an order of its own. */
interface Followers {
  /** Primary keys and their kin. */
  readonly keys: readonly ArchiveEntry[];
  /**
   * Indexes that take long to build, with the comments on them. An index of a partition is not among them, since what
   * follows on it waits for it.
   */
  readonly slow: readonly ArchiveEntry[];
}

/** Finds among the entries what follows on these tables. */
export function followersOf(tables: readonly LargeTable[], entries: readonly ArchiveEntry[]): Followers {
  const names = tables.map(({ statement }) => statement.replace(/^COPY (.*?) \(.*$/, "$1"));
  const isOf = ({ definition }: ArchiveEntry, middle: string, end: string) =>
    names.some((name) => definition.includes(`${middle}${name}${end}`));
  const key = ({ schema, name }: ArchiveEntry) => JSON.stringify([schema, name.replaceAll('"', "")]);
  const attached = new Set(entries.filter(({ type }) => type === "INDEX ATTACH").map(key));
  const slow = entries.filter(
    (entry) =>
      entry.type === "INDEX" &&
      isSlowIndex(entry.definition) &&
      isOf(entry, " ON ", " USING ") &&
      !attached.has(key(entry)),
  );
  const tags = new Set(slow.map((entry) => key({ ...entry, name: `INDEX ${entry.name}` })));
  return {
    keys: entries.filter(
      (entry) =>
        entry.type === "CONSTRAINT" && /^ALTER TABLE/.test(entry.definition) && isOf(entry, " ONLY ", "\n"),
    ),
    slow: [...slow, ...entries.filter((entry) => entry.type === "COMMENT" && tags.has(key(entry)))],
  };
}

/** Megabytes for the slow indexes of these tables. */
export function memoryFor(tables: readonly LargeTable[]): number {
  return slowIndexMegabytes(Math.max(0, ...tables.map(({ bytes }) => bytes)));
}

/** What ends the rows in a data file of an uncompressed directory dump. */
export const endOfRows = "\\.\n\n\n";

const pieceBytes = 1 << 19;
const newline = 10;

/** True for a data file that ends as COPY's rows do; one with INSERT statements does not. */
export async function holdsRows(path: string): Promise<boolean> {
  await using file = await open(path);
  const { size } = await file.stat();
  const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, Math.max(0, size - 6));
  return buffer.toString("latin1", 0, bytesRead).endsWith(endOfRows);
}

/**
 * The rows of a data file in pieces of whole rows, without the end mark. A row is a line in COPY's text form; one that
 * is longer than a piece makes the pieces grow.
 */
export async function* rowPieces(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  await using file = await open(path);
  let left = (await file.stat()).size - endOfRows.length;
  let rest: Buffer = Buffer.alloc(0);
  while (left > 0) {
    signal.throwIfAborted();
    const piece = Buffer.allocUnsafe(rest.length + Math.min(left, Math.max(pieceBytes, rest.length)));
    rest.copy(piece);
    const { bytesRead } = await file.read(piece, rest.length, piece.length - rest.length);
    if (bytesRead === 0)
      throw new UserError(`The dump was changed while it was read: ${path} has become shorter.`);
    left -= bytesRead;
    const read = piece.subarray(0, rest.length + bytesRead);
    const end = read.lastIndexOf(newline) + 1;
    if (end > 0) yield read.subarray(0, end);
    rest = read.subarray(end);
  }
}

/** Loads one table after the other, each by all sessions. The rows keep their order, but for neighbours. */
export async function loadLargeTables(tables: readonly LargeTable[], context: RestoreContext): Promise<void> {
  for (const table of tables) {
    context.onTable(`${table.entry.schema}.${table.entry.name}`);
    try {
      await loadBySessions(table, context);
    } catch (error) {
      context.signal.throwIfAborted();
      throw failureOf(table.entry, error as DatabaseFailure);
    }
  }
}

/** The first session that fails ends the others, and its failure is thrown once they have ended. */
async function loadBySessions({ file, statement }: LargeTable, context: RestoreContext): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const pieces = rowPieces(file, signal);
  const thrown: unknown[] = [];
  const session = () =>
    withClient(context.fresh.admin, async (client) => {
      await prepareSession(client, context);
      await copyInto(client, statement, pieces, signal);
    }).catch((error) => {
      thrown.push(error);
      stop.abort();
    });
  await Promise.all(Array.from({ length: context.request.jobs }, session));
  await pieces.return(undefined);
  if (thrown.length > 0) throw thrown[0];
}

/** As pg_restore prepares its sessions. */
async function prepareSession(client: pg.Client, { prepared, request }: RestoreContext): Promise<void> {
  const settings = {
    ...sessionSettings,
    client_encoding: prepared.dump.archive.encoding,
    search_path: "",
    row_security: "off",
    xmloption: "content",
  };
  for (const [name, value] of Object.entries(settings))
    await client.query("SELECT pg_catalog.set_config($1, $2, false)", [name, value]);
  await client.query(`SET ROLE ${identifier(request.owner)}`);
}

interface DatabaseFailure {
  readonly message: string;
  readonly detail?: string;
  readonly where?: string;
}

function failureOf(entry: ArchiveEntry, error: DatabaseFailure): UserError {
  const where = error.where?.replace(/, line \d+/, ""); // a line of one session's share says nothing
  const message = [error.message, error.detail, where && `CONTEXT: ${where}`].filter(Boolean).join(" ");
  return new UserError(failureText({ entry, message }), { cause: error });
}

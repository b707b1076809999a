import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";
import { type Copied, relayCopy } from "../../postgres/copy.ts";
import { isSlowIndex, slowIndexMegabytes } from "../../postgres/index-memory.ts";
import { readServerVersion } from "../../postgres/server-version.ts";
import { runTasks, type Task } from "../../util/task-pool.ts";
import type { CopyTable } from "../compare/catalog.ts";
import { execute, type SchemaEntry } from "./post-data.ts";
import type { Snapshot } from "./snapshot.ts";

/** A session that reads the snapshot, and one that writes to the target. */
export interface CopyPair {
  readonly reader: pg.Client;
  readonly writer: pg.Client;
}

/** Tables above this size are read in pieces of it, side by side. */
const pieceBytes = 2 ** 25;

/** Conditions that cut a table into pieces by where its rows lie. */
function piecesOf({ bytes, blocks, where }: CopyTable): string[] {
  const count = where !== "" ? 1 : Math.min(Math.ceil(bytes / pieceBytes), blocks);
  if (count <= 1) return [where];
  const bound = (at: number) => `'(${Math.floor((blocks * at) / count)},0)'`;
  return Array.from({ length: count }, (_, at) => {
    const upper = at + 1 < count ? ` AND ctid < ${bound(at + 1)}` : "";
    return `WHERE ctid >= ${bound(at)}${upper}`;
  });
}

/** Does `work` while both sessions speak an encoding; rows then pass without being converted on the way. */
async function withEncoding<T>(
  { reader, writer }: CopyPair,
  encoding: string,
  work: () => Promise<T>,
): Promise<T> {
  if (encoding === "UTF8") return work();
  for (const client of [reader, writer]) await client.query(`SET client_encoding = '${encoding}'`);
  const result = await work();
  for (const client of [reader, writer]) await client.query("SET client_encoding = 'UTF8'");
  return result;
}

/** Copies rows in a transaction of their own. The table is empty before, save for what an extension has put there. */
async function copyPiece(
  { name, columns, where, plain }: CopyTable,
  piece: string,
  { reader, writer }: CopyPair,
  binary: boolean,
): Promise<Copied> {
  const list = columns.length === 0 ? "" : ` (${columns.join(", ")})`;
  const format = binary && plain ? "binary" : "text";
  const from = piece === "" ? `${name}${list}` : `(SELECT ${columns.join(", ")} FROM ONLY ${name} ${piece})`;
  const into = `COPY ${name}${list} FROM STDIN (FORMAT ${format})`;
  return withTransaction(writer, async () => {
    if (where !== "") await writer.query(`DELETE FROM ONLY ${name} ${where}`);
    return relayCopy(reader, `COPY ${from} TO STDOUT (FORMAT ${format})`, writer, into);
  });
}

/** Makes an index with the memory that its kind wants; for the session's other work that would be too much. */
async function makeSlowIndex(writer: pg.Client, entry: SchemaEntry, bytes: number): Promise<void> {
  await withTransaction(writer, async () => {
    await writer.query(`SET LOCAL maintenance_work_mem = '${slowIndexMegabytes(bytes)}MB'`);
    await execute(writer, entry);
  });
}

/** Makes indexes of one table side by side, the slow kinds first, and then its statistics. */
function makeIndexes({ name, bytes }: CopyTable, indexes: readonly SchemaEntry[]): Task<CopyPair>[] {
  const analyze: Task<CopyPair> = async ({ writer }) => {
    await writer.query(`ANALYZE ${name}`);
    return [];
  };
  let left = indexes.length;
  if (left === 0) return [analyze];
  const isSlow = ({ sql }: SchemaEntry) => isSlowIndex(sql);
  const inOrder = [...indexes.filter(isSlow), ...indexes.filter((entry) => !isSlow(entry))];
  return inOrder.map((entry) => async ({ writer }) => {
    await (isSlow(entry) ? makeSlowIndex(writer, entry, bytes) : execute(writer, entry));
    left--;
    return left === 0 ? [analyze] : [];
  });
}

/**
 * What is done once all rows of a table are there. Its constraints come first, one by one: each locks the table against
 * its indexes, and would wait for them while other tables could be copied.
 */
function afterRows(table: CopyTable, entries: readonly SchemaEntry[]): Task<CopyPair>[] {
  const [constraint, ...constraints] = entries.filter(({ type }) => type === "CONSTRAINT");
  const indexes = entries.filter(({ type }) => type !== "CONSTRAINT");
  if (constraint === undefined) return makeIndexes(table, indexes);
  return [
    async ({ writer }) => {
      await execute(writer, constraint);
      return afterRows(table, [...constraints, ...indexes]);
    },
  ];
}

/**
 * Copies the rows of all tables, the biggest table first, and makes the indexes of each as soon as its rows are there,
 * while others are still copied.
 * @param indexes by the table's name
 */
export async function loadTables(
  snapshot: Snapshot,
  indexes: ReadonlyMap<string, readonly SchemaEntry[]>,
  pairs: readonly CopyPair[],
  log: (line: string) => void,
): Promise<Copied> {
  const { major } = await readServerVersion((pairs[0] as CopyPair).writer);
  const binary = major === snapshot.major;
  const total = { rows: 0, bytes: 0 };
  const tasks = snapshot.tables.flatMap((table): Task<CopyPair>[] => {
    const pieces = piecesOf(table);
    let left = pieces.length;
    return pieces.map((piece) => async (pair) => {
      const copied = await withEncoding(pair, snapshot.encoding, () => copyPiece(table, piece, pair, binary));
      total.rows += copied.rows;
      total.bytes += copied.bytes;
      left--;
      if (left > 0) return [];
      if (pieces.length > 1) log(`copied ${table.name}`);
      return afterRows(table, indexes.get(table.name) ?? []);
    });
  });
  await runTasks(tasks, pairs);
  return total;
}

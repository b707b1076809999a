import type pg from "pg";
import { distribute } from "../../util/task-pool.ts";
import type { KeyedTables } from "../replication/read-changes.ts";
import { type CopyTable, listTables } from "./catalog.ts";
import type { ChangedKeys, ChangedRows } from "./changed-rows.ts";
import { type Pair, readSum, rowHashes, type Sum, sums } from "./row-checksums.ts";
import { keyParameters, listKeys, lookUp, type RowKey } from "./row-keys.ts";

/** The source's tables, how their rows are found and how they are hashed, on both sides. */
export interface ComparableTables extends KeyedTables {
  readonly hashes: readonly [ReadonlyMap<string, string>, ReadonlyMap<string, string>];
  /** The files of both sides, by table. */
  readonly files: TableFiles;
}

/** Which files hold a table's rows: no stream of changes shows that they were rewritten (`ALTER … TYPE … USING`). */
export type TableFiles = ReadonlyMap<string, string>;

/** Tables that were rewritten since `before`, on either side. */
export function rewritten({ files }: ComparableTables, before: TableFiles): string[] {
  return [...files].filter(([name, file]) => before.get(name) !== file).map(([name]) => name);
}

/** Reads what a comparison of rows needs to know. */
export async function describeTables([source, target]: Pair): Promise<ComparableTables> {
  const [there, here] = await Promise.all([rowHashes(source), rowHashes(target)]);
  const [tables, others] = await Promise.all([listTables(source), listTables(target)]);
  const targetFiles = new Map(others.map(({ name, file }) => [name, file]));
  const files = new Map(tables.map(({ name, file }) => [name, `${file} ${targetFiles.get(name)}`]));
  return { tables, keys: await listKeys(source), hashes: [there, here], files };
}

/** A table with all that is needed to sum up its rows. */
interface Summed {
  readonly table: CopyTable;
  readonly key: RowKey | undefined;
  readonly hash: string;
}

async function sumOfKeys(client: pg.Client, { table, key, hash }: Summed, keys: ReadonlySet<string>) {
  if (keys.size === 0 || key === undefined) return { rows: 0n, sum: 0n };
  return readSum(client, lookUp(table.name, key, sums(hash)), keyParameters(key, keys));
}

/** Sums up rows, save those of `except`. */
async function sumOf(
  client: pg.Client,
  summed: Summed,
  rows: ChangedKeys,
  except: ReadonlySet<string>,
): Promise<Sum> {
  if (rows !== "all") return sumOfKeys(client, summed, rows.difference(except));
  const { table, hash } = summed;
  const all = await readSum(client, `SELECT ${sums(hash)} FROM ONLY ${table.name} t ${table.where}`);
  const left = await sumOfKeys(client, summed, except);
  return { rows: all.rows - left.rows, sum: all.sum - left.sum };
}

function differenceOf(there: Sum, here: Sum): string | undefined {
  if (there.rows !== here.rows) return `${there.rows} rows on the source, ${here.rows} on the target`;
  return there.sum === here.sum ? undefined : `${there.rows} rows on both sides, but their contents differ`;
}

/** What a comparison of rows found. */
export interface RowComparison {
  /** Of the source. */
  readonly rows: number;
  /** By table. */
  readonly differences: ReadonlyMap<string, string>;
}

/** Compares the given rows of both sides, save those of `except`: these changed while both were read. */
export async function compareRows(
  pairs: readonly Pair[],
  { tables, keys, hashes }: ComparableTables,
  rows: ChangedRows,
  except?: ChangedRows,
): Promise<RowComparison> {
  const differences = new Map<string, string>();
  let compared = 0n;
  const wanted = tables.filter(
    ({ name }) => rows.keysOf(name) !== undefined && except?.keysOf(name) !== "all",
  );
  await distribute(wanted, pairs, async (table, pair) => {
    const { name } = table;
    const [hash, other] = hashes.map((side) => side.get(name)) as [string, string | undefined];
    if (hash !== other) {
      differences.set(
        name,
        other === undefined ? "missing on the target" : "its columns are not the source's",
      );
      return;
    }
    const chosen = rows.keysOf(name) as ChangedKeys;
    const left = (except?.keysOf(name) ?? new Set()) as ReadonlySet<string>;
    const summed = { table, key: keys.get(name), hash };
    const [there, here] = (await Promise.all(pair.map((client) => sumOf(client, summed, chosen, left)))) as [
      Sum,
      Sum,
    ];
    compared += there.rows;
    const difference = differenceOf(there, here);
    if (difference !== undefined) differences.set(name, difference);
  });
  return { rows: Number(compared), differences };
}

/** The differences as a person reads them. */
export function describeRows({ differences }: RowComparison): string[] {
  return [...differences].map(([name, text]) => `table ${name}: ${text}`).sort();
}

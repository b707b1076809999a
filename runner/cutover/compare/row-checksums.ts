import type pg from "pg";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { withAdmins } from "../connections.ts";
import { orTablesInUse, pinnedOutput } from "../copy/snapshot.ts";
import { isMovedSchema } from "../moved-objects.ts";
import type { Move } from "../settings.ts";

/** The source and the target, each in one session. */
export type Pair = readonly [pg.Client, pg.Client];

/**
 * A session must not wait for ever for somebody who waits for another session of the same comparison. Its search path must
 * not decide how a name in a column (regclass, …) is printed.
 */
export const comparisonPins = `${pinnedOutput}; SET lock_timeout = '10s'; SET search_path = ''; SET row_security = off; SET client_encoding = 'UTF8'; SET jit = off`;

/** Lends pairs of sessions whose output neither database can bend. */
export async function withPairs<T>(
  { source, target }: Pick<Move, "source" | "target">,
  count: number,
  use: (pairs: readonly Pair[]) => Promise<T>,
): Promise<T> {
  const settings = Array.from({ length: count }, () => [source, target]).flat();
  return withAdmins(settings, async (clients) => {
    await Promise.all(clients.map((client) => client.query(comparisonPins)));
    return use(
      Array.from({ length: count }, (_, at) => clients.slice(2 * at, 2 * at + 2) as unknown as Pair),
    );
  }).catch((error) => {
    throw orTablesInUse(error);
  });
}

/** Two of them. */
export type TwoPairs = readonly [Pair, Pair];

/** Lends two pairs. */
export async function withTwoPairs<T>(
  sides: Pick<Move, "source" | "target">,
  use: (pairs: TwoPairs) => Promise<T>,
): Promise<T> {
  return withPairs(sides, 2, (pairs) => use(pairs as unknown as TwoPairs));
}

/** Lets a session read one moment: that of an exported snapshot, or the one in which it reads first. */
export async function beginReading(client: pg.Client, snapshot?: string): Promise<void> {
  const join = snapshot === undefined ? "" : `; SET TRANSACTION SNAPSHOT '${snapshot}'`;
  await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY${join}`);
}

/** Types whose equal values are also the same text, so that the hash of the value stands for it. */
const exactTypes = `('int2','int4','int8','bool','text','varchar','bytea','uuid','date','timestamp','timestamptz','oid','"char"')`;

/**
 * Expressions that hash a row `t` of each table, by the table's name. Columns of exact types count by their value, which
 * is several times quicker than text, all others by their text.
 */
export async function rowHashes(client: pg.Client): Promise<Map<string, string>> {
  const rows = await rowsOf<{ name: string; columns: string[] }>(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, coalesce(array_agg('t.' || quote_ident(attname) || CASE
         WHEN t.typname IN ${exactTypes} AND t.typnamespace = 'pg_catalog'::regnamespace
          AND (attcollation = 0 OR (SELECT collisdeterministic FROM pg_collation WHERE oid = attcollation))
         THEN '' ELSE '::text' END ORDER BY attnum) FILTER (WHERE attnum IS NOT NULL), '{}') AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
     LEFT JOIN pg_type t ON t.oid = a.atttypid
     WHERE relkind = 'r' AND ${isMovedSchema("n.nspname")} GROUP BY 1`,
  );
  const hashOf = (columns: string[]) => `hash_record_extended(ROW(${columns.join(", ")}), 0)`;
  return new Map(rows.map(({ name, columns }) => [name, hashOf(columns)]));
}

/** How many rows, and a sum of their hashes that does not depend on their order. */
export interface Sum {
  readonly rows: bigint;
  readonly sum: bigint;
}

/** The columns of a `Sum` over rows that `hash` hashes. */
export const sums = (hash: string) => `count(*)::text AS rows, coalesce(sum(${hash}), 0)::text AS sum`;

/** Runs a statement with these columns. */
export async function readSum(client: pg.Client, statement: string, values: unknown[] = []): Promise<Sum> {
  const { rows, sum } = await oneRow<{ rows: string; sum: string }>(client, statement, values);
  return { rows: BigInt(rows), sum: BigInt(sum) };
}

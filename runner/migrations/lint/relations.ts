import pg from "pg";
import { oneRow, rowsOf } from "../../postgres/rows.ts";

/** A table or an index as the catalog has it; with its partitions, where it has any. */
export interface Relation {
  /** The name that was asked for, quoted. */
  readonly object: string;
  readonly schema: string;
  readonly name: string;
  /** `pg_class.relkind`, such as `r`. */
  readonly kind: string;
  readonly partitioned: boolean;
  /** Partitions that hold rows. */
  readonly leaves: number;
  /** With indexes and TOAST. */
  readonly bytes: number;
  /** The same for people. */
  readonly size: string;
  /** The server's estimate; null where it has never counted one of the tables. */
  readonly estimate: number | null;
}

const sizesQuery = `
  SELECT o.object, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, c.relkind IN ('p', 'I') AS partitioned,
         t.leaves::int AS leaves, t.bytes::float8 AS bytes, pg_catalog.pg_size_pretty(t.bytes) AS size,
         CASE WHEN NOT t.uncounted THEN t.rows::float8 END AS estimate
    FROM pg_catalog.unnest($1::text[]) AS o (object) JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(o.object)
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
         LATERAL (SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_total_relation_size(l.oid)), 0)::bigint AS bytes,
                         COALESCE(pg_catalog.sum(GREATEST(l.reltuples, 0)), 0)::bigint AS rows,
                         COALESCE(pg_catalog.bool_or(l.reltuples < 0), false) AS uncounted, pg_catalog.count(*) AS leaves
                    FROM pg_catalog.pg_class l
                   WHERE l.oid = c.oid AND c.relkind NOT IN ('p', 'I')
                      OR l.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid) WHERE isleaf)
                         AND l.relkind NOT IN ('p', 'I')) AS t`;

/**
 * Sizes and estimates of tables and indexes, by the names that were given. What does not exist is left out.
 * @param objects names as to_regclass takes them
 */
export async function readRelations(
  client: pg.Client,
  objects: readonly string[],
): Promise<Map<string, Relation>> {
  if (objects.length === 0) return new Map();
  const rows = await rowsOf<Relation>(client, sizesQuery, [objects]);
  return new Map(rows.map((row) => [row.object, row]));
}

/** How long to count rows, in milliseconds; an estimate has to do where that is not enough. */
const countingTime = 2000;

/**
 * Counts rows, as far as that takes no more than two seconds and nobody locks the table.
 * @param counted what to count, such as `*` or a quoted column, whose NULLs do not count
 * @returns undefined where the count did not come to its end
 */
export async function countRows(
  client: pg.Client,
  object: string,
  counted = "*",
): Promise<number | undefined> {
  try {
    await client.query(
      `BEGIN READ ONLY; SET LOCAL statement_timeout = ${countingTime}; SET LOCAL lock_timeout = 200`,
    );
    const sql = `SELECT pg_catalog.count(${counted})::float8 AS rows FROM ${object}`;
    return (await oneRow<{ rows: number }>(client, sql)).rows;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    return undefined;
  } finally {
    await client.query("ROLLBACK");
  }
}

/** The rows of a relation in words, such as `about 120 rows in 4 partitions`. */
export function describeRows({ estimate, partitioned, leaves }: Relation): string {
  const rows = estimate === null ? "rows not counted yet" : `about ${estimate} rows`;
  return partitioned ? `${rows} in ${leaves} partitions` : rows;
}

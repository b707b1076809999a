import type pg from "pg";
import type { IndexName } from "./steps.ts";

/** `absent`, `valid`, or `invalid`: left over from a CREATE INDEX CONCURRENTLY that failed or was killed. */
export type IndexState = "absent" | "valid" | "invalid";

/** How the index stands that the statement builds. */
export async function indexState(client: pg.Client, { name, table }: IndexName): Promise<IndexState> {
  const { rows } = await client.query<{ valid: boolean }>(
    `SELECT i.indisvalid AND i.indisready AS valid
       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
      WHERE c.relname OPERATOR(pg_catalog.=) $1::name AND i.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($2)`,
    [name, table],
  );
  const found = rows[0];
  return found === undefined ? "absent" : found.valid ? "valid" : "invalid";
}

/** Drops what a failed build left: it costs every write, and a unique one still refuses rows. */
export async function dropInvalid(
  client: pg.Client,
  index: IndexName,
  log: (line: string) => void,
): Promise<void> {
  if ((await indexState(client, index)) !== "invalid") return;
  log(`dropping the invalid index ${index.sql}, left over from a build that did not finish`);
  await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${index.sql}`);
}

import pg from "pg";
import type { HistoryTable } from "./history.ts";

/** How far a `transaction=off` script is. */
export interface Progress {
  /** Statements that are done. */
  readonly done: number;
  /** The number of a statement that began and whose end nobody saw, or null. */
  readonly begun: number | null;
}

/** The SQL that keeps count, and is right whatever role and search_path the script has set. */
export function progressSql(
  { sql }: HistoryTable,
  name: string,
  owner: string,
  { done, begun }: Progress,
): string {
  return `SET LOCAL ROLE ${pg.escapeIdentifier(owner)};
    UPDATE ${sql} SET statements_done = ${done}, statement_begun = ${begun ?? "NULL"}
     WHERE name OPERATOR(pg_catalog.=) ${pg.escapeLiteral(name)}`;
}

/** Reads how far the script is; undefined where it has not begun. */
export async function readProgress(
  client: pg.Client,
  { sql }: HistoryTable,
  name: string,
): Promise<(Progress & { reverting: boolean }) | undefined> {
  const { rows } = await client.query(
    `SELECT COALESCE(statements_done, 0) AS done, statement_begun AS begun, reverting FROM ${sql} WHERE name = $1`,
    [name],
  );
  return rows[0];
}

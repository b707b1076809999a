import type pg from "pg";
import { maybeRow } from "../../postgres/rows.ts";
import { identifier, literal } from "../../postgres/sql.ts";
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
  return `SET LOCAL ROLE ${identifier(owner)};
    UPDATE ${sql} SET statements_done = ${done}, statement_begun = ${begun ?? "NULL"}
     WHERE name OPERATOR(pg_catalog.=) ${literal(name)}`;
}

/** Reads how far the script is; undefined where it has not begun. */
export function readProgress(
  client: pg.Client,
  { sql }: HistoryTable,
  name: string,
): Promise<(Progress & { readonly reverting: boolean }) | undefined> {
  return maybeRow(
    client,
    `SELECT COALESCE(statements_done, 0) AS done, statement_begun AS begun, reverting FROM ${sql} WHERE name = $1`,
    [name],
  );
}

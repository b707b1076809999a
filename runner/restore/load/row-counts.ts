import type pg from "pg";
import type { TableRows } from "../../dump/report.ts";
import { type ConnectionSettings, withClient } from "../../postgres/connection.ts";
import { oneRow } from "../../postgres/rows.ts";
import { qualified } from "../../postgres/sql.ts";

/** A table with other rows than the dump. */
export interface RowDifference extends TableRows {
  readonly found: number;
}

/** Counts every table again, `jobs` at a time, and gives those that differ. */
export async function compareRows(
  connection: ConnectionSettings,
  expected: readonly TableRows[],
  jobs: number,
): Promise<RowDifference[]> {
  const waiting = [...expected];
  const differences: RowDifference[] = [];
  const countNext = async (client: pg.Client) => {
    for (let table = waiting.shift(); table !== undefined; table = waiting.shift()) {
      const sql = `SELECT pg_catalog.count(*) AS found FROM ONLY ${qualified(table.schema, table.name)}`;
      const found = Number((await oneRow<{ found: string }>(client, sql)).found);
      if (found !== table.rows) differences.push({ ...table, found });
    }
  };
  await Promise.all(Array.from({ length: jobs }, () => withClient(connection, countNext)));
  return differences;
}

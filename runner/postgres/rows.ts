import type pg from "pg";

/** Runs a query and gives its rows. `Row` states their columns. */
export async function rowsOf<Row extends object>(
  client: pg.ClientBase,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const { rows } = await client.query<Row>(sql, [...values]);
  return rows;
}

/** Runs a query that gives exactly one row. Throws Error where it gives none or several: that is a bug of the query. */
export async function oneRow<Row extends object>(
  client: pg.ClientBase,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row> {
  const rows = await rowsOf<Row>(client, sql, values);
  if (rows.length !== 1) throw new Error(`Expected one row, found ${rows.length}: ${sql}`);
  return rows[0] as Row;
}

/** Whether a query gives a row. */
export async function hasRow(
  client: pg.ClientBase,
  sql: string,
  values: readonly unknown[] = [],
): Promise<boolean> {
  return (await rowsOf(client, sql, values)).length > 0;
}

/** The row of a query that gives one or none. */
export async function maybeRow<Row extends object>(
  client: pg.ClientBase,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row | undefined> {
  return (await rowsOf<Row>(client, sql, values))[0];
}

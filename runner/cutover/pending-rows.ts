import type pg from "pg";
import { withTransaction } from "../connection.ts";
import type { AheadReport } from "./compare-ahead.ts";
import { updateTarget } from "./fill.ts";
import { stateSchema } from "./state.ts";
import { TouchedRows } from "./touched.ts";

/** Rows of the target that are to be compared again; a table without a key stands for all its rows. */
const pending = `${stateSchema}.pending`;

/** Replaces the list, together with what the target remembers of the comparison. */
export async function savePending(target: pg.Client, rows: TouchedRows, report: AheadReport): Promise<void> {
  const list = [...rows.tables()].flatMap(([table, keys]) =>
    keys === "all" ? [[table, null]] : [...keys].map((key) => [table, key]),
  );
  await withTransaction(target, async () => {
    await target.query(
      `CREATE TABLE IF NOT EXISTS ${pending} (relation text NOT NULL, key text); TRUNCATE ${pending}`,
    );
    await target.query(`INSERT INTO ${pending} SELECT * FROM unnest($1::text[], $2::text[])`, [
      list.map(([table]) => table),
      list.map(([, key]) => key),
    ]);
    await updateTarget(target, { ahead: report });
  });
}

/** Reads the list. */
export async function readPending(target: pg.Client): Promise<TouchedRows> {
  const { rows } = await target.query(`SELECT relation, key FROM ${pending}`);
  const found = new TouchedRows();
  for (const { relation, key } of rows)
    if (key === null) found.add(relation, "all");
    else found.addKey(relation, key);
  return found;
}

/** Forgets the list and the comparison. */
export async function clearPending(target: pg.Client): Promise<void> {
  await target.query(`DROP TABLE IF EXISTS ${pending}`);
}

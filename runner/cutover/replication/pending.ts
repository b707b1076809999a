import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { ChangedRows } from "../compare/changed-rows.ts";
import type { TableFiles } from "../compare/rows.ts";
import type { CutoverSession } from "../session.ts";
import { type PreFreezeReport, stateSchema } from "../state/state.ts";

/** What a comparison has left to be compared again. */
export interface Pending {
  readonly rows: ChangedRows;
  /** The files that held the rows of each table when they were compared. */
  readonly files: TableFiles;
}

/** Rows that are to be compared again, by the key; a table without a key stands for all its rows. */
const pending = `${stateSchema}.pending`;
const compared = `${stateSchema}.compared`;

/** Replaces what is left, together with what the target remembers of the comparison. */
export async function savePending(
  session: CutoverSession,
  { rows, files }: Pending,
  report: PreFreezeReport,
): Promise<void> {
  const { target } = session;
  const list = [...rows.tables()].flatMap(([table, keys]) =>
    keys === "all" ? [[table, null]] : [...keys].map((key) => [table, key]),
  );
  const fill = (table: string, left: unknown[], right: unknown[]) =>
    target.query(`INSERT INTO ${table} SELECT * FROM unnest($1::text[], $2::text[])`, [left, right]);
  await withTransaction(target, async () => {
    await target.query(
      `CREATE TABLE IF NOT EXISTS ${pending} (relation text NOT NULL, key text);
       CREATE TABLE IF NOT EXISTS ${compared} (relation text NOT NULL, files text NOT NULL); TRUNCATE ${pending}, ${compared}`,
    );
    await fill(
      pending,
      list.map(([table]) => table),
      list.map(([, key]) => key),
    );
    await fill(compared, [...files.keys()], [...files.values()]);
    await session.changeState({ ahead: report });
  });
}

/** Reads what is left. */
export async function readPending(target: pg.Client): Promise<Pending> {
  const rows = await rowsOf<{ relation: string; key: string | null }>(
    target,
    `SELECT relation, key FROM ${pending}`,
  );
  const found = new ChangedRows();
  for (const { relation, key } of rows)
    if (key === null) found.add(relation, "all");
    else found.addKey(relation, key);
  const files = await rowsOf<{ relation: string; files: string }>(
    target,
    `SELECT relation, files FROM ${compared}`,
  );
  return { rows: found, files: new Map(files.map(({ relation, files }) => [relation, files])) };
}

/** Forgets it. */
export async function clearPending(target: pg.Client): Promise<void> {
  await target.query(`DROP TABLE IF EXISTS ${pending}, ${compared}`);
}

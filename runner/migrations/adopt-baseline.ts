import { RefusedError } from "../util/errors.ts";
import { compareWithMigrations, readerOf } from "./built-schema.ts";
import type { MigrationFile } from "./files/types.ts";
import { insertSql, noTime } from "./history/history.ts";
import type { Run } from "./run/job.ts";
import type { Access } from "./run/session.ts";

/** Why a database with these differences is not adopted. */
export function refusalOf(files: readonly MigrationFile[], differences: readonly string[]): string {
  return (
    `The database cannot be adopted: its schema is not what the migrations up to ${files.at(-1)?.name} build:\n  ` +
    `${differences.join("\n  ")}\nChange the baseline's files, or the database, until they agree. Nothing was recorded.`
  );
}

/**
 * Records the baseline's migrations as applied on a database that has their schema already, after building them on a
 * scratch server and comparing the two.
 * Throws RefusedError that lists the differences.
 */
export async function adoptBaseline(
  run: Run,
  access: Access,
  files: readonly MigrationFile[],
): Promise<void> {
  const { client } = run.session;
  run.log(`comparing the schema with what ${files.length} migrations up to the baseline build`);
  const { log, table } = run;
  const reader = await readerOf(access);
  const migrated = { client, reader, table, called: "the migrations up to the baseline", log };
  const { objects: found } = await compareWithMigrations(migrated, files);
  if (found.length > 0) throw new RefusedError(refusalOf(files, found));
  const rows = files.map((file) => insertSql(run.table, file, { duration: noTime, baseline: true }));
  await client.query(`BEGIN; ${rows.join("; ")}; COMMIT`);
  run.log(`recorded ${files.length} migrations as applied`);
}

import pg from "pg";

/** What identifies a restore: the path as it was given, and the dump's checksum. */
export interface RestoreKey {
  readonly from: string;
  readonly sha256: string;
}

/**
 * Writes into the fresh database which dump it came from. The row travels with the swap, so it exists exactly when
 * the restore is complete; what the dump itself may say of other restores is replaced.
 */
export async function recordRestore(
  client: pg.Client,
  key: RestoreKey,
  report: unknown,
  owner: string,
): Promise<void> {
  await client.query(`SET ROLE ${pg.escapeIdentifier(owner)}`);
  await client.query(`
    CREATE SCHEMA IF NOT EXISTS pgstack;
    DROP TABLE IF EXISTS pgstack.restores;
    CREATE TABLE pgstack.restores (
      source text NOT NULL,
      sha256 text NOT NULL,
      restored_at timestamptz NOT NULL DEFAULT now(),
      report jsonb NOT NULL);
    COMMENT ON TABLE pgstack.restores IS 'Which dump this database was restored from by pgstack'`);
  await client.query("INSERT INTO pgstack.restores (source, sha256, report) VALUES ($1, $2, $3)", [
    key.from,
    key.sha256,
    JSON.stringify(report),
  ]);
  await client.query("RESET ROLE");
}

/** For a restore by hand: what the dump says of its own source's restores does not count here. */
export async function forgetRestores(client: pg.Client): Promise<void> {
  const { rows } = await client.query("SELECT to_regclass('pgstack.restores') IS NOT NULL AS yes");
  if (rows[0].yes) await client.query("DELETE FROM pgstack.restores");
}

/** The restore that the client's database came from, or undefined. */
export async function recordedRestore<Report>(
  client: pg.Client,
): Promise<(RestoreKey & { report: Report }) | undefined> {
  const { rows: known } = await client.query("SELECT to_regclass('pgstack.restores') IS NOT NULL AS yes");
  if (!known[0].yes) return undefined;
  const { rows } = await client.query(
    'SELECT source AS "from", sha256, report FROM pgstack.restores ORDER BY restored_at DESC LIMIT 1',
  );
  return rows[0];
}

import type pg from "pg";
import { maybeRow, oneRow } from "../postgres/rows.ts";
import { identifier } from "../postgres/sql.ts";
import { readingAs } from "./swap/memberships.ts";

/** What a database says of the dump that its stack restored into it. */
export interface RestoreRecord<Report> {
  /** The path as it was given. */
  readonly path: string;
  readonly sha256: string;
  readonly report: Report;
  /** Now, where it is not given. */
  readonly restoredAt?: Date;
}

/**
 * Writes into the fresh database which dump it came from. The row travels with the swap, so it exists exactly when
 * the restore is complete; what the dump itself may say of other restores is replaced.
 */
export async function recordRestore<Report>(
  client: pg.Client,
  { path, sha256, report, restoredAt }: RestoreRecord<Report>,
  owner: string,
): Promise<void> {
  await client.query(`SET ROLE ${identifier(owner)}`);
  await client.query(`
    CREATE SCHEMA IF NOT EXISTS pgstack;
    DROP TABLE IF EXISTS pgstack.restores;
    CREATE TABLE pgstack.restores (
      source text NOT NULL,
      sha256 text NOT NULL,
      restored_at timestamptz NOT NULL DEFAULT now(),
      report jsonb NOT NULL);
    COMMENT ON TABLE pgstack.restores IS 'Which dump this database was restored from by pgstack'`);
  await client.query(
    "INSERT INTO pgstack.restores (source, sha256, report, restored_at) VALUES ($1, $2, $3, coalesce($4, now()))",
    [path, sha256, JSON.stringify(report), restoredAt ?? null],
  );
  await client.query("RESET ROLE");
}

async function hasRecords(client: pg.Client): Promise<boolean> {
  const sql = "SELECT pg_catalog.to_regclass('pgstack.restores') IS NOT NULL AS found";
  return (await oneRow<{ found: boolean }>(client, sql)).found;
}

/** What the dump says of its own source's restores does not count here. */
export async function forgetRestores(client: pg.Client): Promise<void> {
  if (await hasRecords(client)) await client.query("DELETE FROM pgstack.restores");
}

/**
 * The restore that the stack of the client's database did last, or undefined. The record belongs to the owner, whom an
 * administrator joins to read it.
 */
export async function recordedRestore<Report>(client: pg.Client): Promise<RestoreRecord<Report> | undefined> {
  const owner = await maybeRow<{ name: string }>(
    client,
    "SELECT pg_catalog.pg_get_userbyid(nspowner) AS name FROM pg_catalog.pg_namespace WHERE nspname = 'pgstack'",
  );
  if (owner === undefined) return undefined;
  return readingAs(client, owner.name, async () => {
    if (!(await hasRecords(client))) return undefined;
    return maybeRow<RestoreRecord<Report>>(
      client,
      'SELECT source AS path, sha256, report, restored_at AS "restoredAt" FROM pgstack.restores ORDER BY restored_at DESC LIMIT 1',
    );
  });
}

import assert from "node:assert/strict";
import type pg from "pg";
import { type ConnectionSettings, openClient, withClient } from "../../runner/postgres/connection.ts";
import { oneRow, rowsOf } from "../../runner/postgres/rows.ts";
import { type TableLock, tableLocks, whoWaits } from "../../runner/statement-facts/facts.ts";

/** What a server shows of a statement. */
export interface Seen {
  /** The strongest lock by name of the table. */
  readonly locks: Readonly<Record<string, TableLock | undefined>>;
  readonly rows: "untouched" | "read" | "rewritten";
}

/** Tables of the schema public by name. */
type Oids = Readonly<Record<string, number>>;

/** The tables of the schema public, partitioned ones and materialized views too. */
export async function oidsOf(client: pg.Client): Promise<Oids> {
  const rows = await rowsOf<{ name: string; oid: number }>(
    client,
    "SELECT relname::text AS name, oid::int FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm')",
  );
  return Object.fromEntries(rows.map(({ name, oid }) => [name, oid]));
}

/** The files of tables, which are others when rows were rewritten. */
export async function filesOf(client: pg.Client, oids: Oids): Promise<string> {
  const sql =
    "SELECT string_agg(relfilenode::text, ' ' ORDER BY oid) AS files FROM pg_class WHERE oid = ANY ($1) AND relkind <> 'p'";
  return (await oneRow<{ files: string }>(client, sql, [Object.values(oids)])).files;
}

const lockName = (mode: string) =>
  mode
    .replace(/Lock$/, "")
    .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
    .toUpperCase() as TableLock;

/** The strongest lock of a session on each table. */
export async function locksOf(client: pg.Client, pid: number, oids: Oids): Promise<Seen["locks"]> {
  const rows = await rowsOf<{ oid: number; mode: string }>(
    client,
    "SELECT relation::int AS oid, mode FROM pg_locks WHERE pid = $1 AND locktype = 'relation'",
    [pid],
  );
  const strongest = (wanted: number) =>
    rows
      .filter(({ oid }) => oid === wanted)
      .map(({ mode }) => lockName(mode))
      .sort((a, b) => tableLocks.indexOf(b) - tableLocks.indexOf(a))[0];
  return Object.fromEntries(Object.entries(oids).map(([name, oid]) => [name, strongest(oid)]));
}

/** Scans of whole tables that the session has not reported yet. */
async function scansOf(client: pg.Client): Promise<number> {
  const sql =
    "SELECT COALESCE(sum(seq_scan), 0)::int AS scans FROM pg_stat_xact_user_tables WHERE schemaname = 'public'";
  return (await oneRow<{ scans: number }>(client, sql)).scans;
}

/**
 * Runs a statement in a transaction and looks at it from within.
 * @param end how the transaction ends
 */
export async function watchInside(
  client: pg.Client,
  sql: string,
  end: "ROLLBACK" | "COMMIT" = "ROLLBACK",
): Promise<Seen> {
  const oids = await oidsOf(client);
  const files = await filesOf(client, oids);
  await client.query("BEGIN");
  const before = await scansOf(client);
  await client.query(sql);
  const { pid } = await oneRow<{ pid: number }>(client, "SELECT pg_backend_pid() AS pid");
  const locks = await locksOf(client, pid, oids);
  const scanned = (await scansOf(client)) > before;
  const now = await filesOf(client, oids);
  await client.query(end);
  const rewritten = now !== files && now.split(" ").length === files.split(" ").length;
  return { locks, rows: rewritten ? "rewritten" : scanned ? "read" : "untouched" };
}

/** Runs a statement that commits by itself while another session writes: a lock that writers feel would wait for it. */
async function runBesideWriter(client: pg.Client, settings: ConnectionSettings, sql: string): Promise<void> {
  await withClient(settings, async (writer) => {
    const tables = Object.keys(await oidsOf(writer)).filter((name) => !name.startsWith("mv"));
    await writer.query("BEGIN");
    for (const table of tables) await writer.query(`LOCK TABLE "${table}" IN ROW EXCLUSIVE MODE`);
    await client.query("SET lock_timeout = '5s'");
    await client.query(sql);
    await writer.query("ROLLBACK");
  });
}

/** Runs statements one by one. Fails for each that reads or rewrites rows while readers or writers of their table wait. */
export async function runQuietly(settings: ConnectionSettings, statements: readonly string[]): Promise<void> {
  const client = await openClient(settings);
  try {
    for (const sql of statements) {
      if (/ CONCURRENTLY /.test(sql)) await client.query(sql);
      else if (/^DO /.test(sql)) await runBesideWriter(client, settings, sql);
      else {
        const { locks, rows } = await watchInside(client, sql, "COMMIT");
        const felt = Object.values(locks).filter(
          (lock) => lock !== undefined && whoWaits(lock) !== undefined,
        );
        assert.ok(rows === "untouched" || felt.length === 0, `${rows} under ${felt.join(", ")}: ${sql}`);
      }
    }
  } finally {
    await client.end();
  }
}

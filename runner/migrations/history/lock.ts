import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { UserError } from "../../util/errors.ts";
import type { HistoryTable } from "./history.ts";

/** How long to wait for another run, in milliseconds. */
const patience = 15 * 60_000;

/** The advisory lock's key: one for each history table (PostgreSQL keeps those of each database apart). */
export function lockKey({ schema, table }: HistoryTable): bigint {
  return createHash("sha256").update(`pgstack migrations ${schema}.${table}`).digest().readBigInt64BE();
}

/** A second lock of the session, shared and so in nobody's way: whoever has lost it has lost the first as well. */
const witnessOf = (key: bigint) => BigInt.asIntN(64, key + 1n);

/**
 * True while the session holds the lock; as SQL, to be asked within a transaction. The witness is let go of, which tells
 * whether it was held, and taken again: to look into `pg_locks` takes the server a tenth of a small migration.
 */
export function lockHeldSql(key: bigint): string {
  const witness = witnessOf(key);
  return `(CASE WHEN pg_catalog.pg_advisory_unlock_shared(${witness}) THEN pg_catalog.pg_try_advisory_lock_shared(${witness}) ELSE false END)`;
}

const unlockSql = (key: bigint) =>
  `SELECT pg_catalog.pg_advisory_unlock_shared(${witnessOf(key)}), pg_catalog.pg_advisory_unlock(${key})`;

async function holder(client: pg.Client, key: bigint): Promise<string> {
  const [high, low] = [BigInt.asUintN(32, key >> 32n), BigInt.asUintN(32, key)];
  const { rows } = await client.query<{ who: string }>(`
    SELECT pg_catalog.format('process %s (%s, user %s, since %s)', a.pid, a.application_name, a.usename, a.backend_start::timestamptz(0)) AS who
      FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = ${high} AND l.objid = ${low}
       AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`);
  return rows[0]?.who ?? "a session that has just ended";
}

async function acquire(client: pg.Client, key: bigint, log: (line: string) => void): Promise<void> {
  const deadline = Date.now() + patience;
  for (let pause = 50; ; pause = Math.min(pause * 2, 1000)) {
    const { rows } = await client.query<{ locked: boolean }>(
      `SELECT CASE WHEN pg_catalog.pg_try_advisory_lock(${key})
         THEN pg_catalog.pg_try_advisory_lock_shared(${witnessOf(key)}) ELSE false END AS locked`,
    );
    if (rows[0]?.locked === true) return;
    if (pause === 50)
      log(`Another run of migrations holds the lock: ${await holder(client, key)}. Waiting for it.`);
    if (Date.now() > deadline)
      throw new UserError(
        `Another run of migrations still holds the lock after ${patience / 60_000} minutes: ${await holder(client, key)}. ` +
          "End that session (pg_terminate_backend) if it is stuck, then run again.",
      );
    await sleep(pause);
  }
}

/**
 * Holds the one lock of a database's history table while `use` runs. It is polled, outside any transaction: a session
 * that waits inside one would keep CREATE INDEX CONCURRENTLY waiting for it, and that would never end.
 */
export async function withMigrationLock<T>(
  client: pg.Client,
  table: HistoryTable,
  log: (line: string) => void,
  use: () => Promise<T>,
): Promise<T> {
  const key = lockKey(table);
  await acquire(client, key, log);
  try {
    return await use();
  } finally {
    await client.query(unlockSql(key)).catch(() => {}); // a dead session has let go of it
  }
}

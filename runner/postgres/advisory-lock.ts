import { createHash } from "node:crypto";
import type pg from "pg";
import { maybeRow, oneRow } from "./rows.ts";

/**
 * The key of an advisory lock by a name, such as `pgstack migrations public.history`. PostgreSQL keeps the locks of each
 * database apart: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
 */
export function advisoryKey(name: string): bigint {
  return createHash("sha256").update(name).digest().readBigInt64BE();
}

/** Takes a lock for the session, without waiting. False where another session holds it. */
export async function tryAdvisoryLock(client: pg.ClientBase, key: bigint): Promise<boolean> {
  const { locked } = await oneRow<{ locked: boolean }>(
    client,
    "SELECT pg_catalog.pg_try_advisory_lock($1) AS locked",
    [key],
  );
  return locked;
}

/** Gives a session's lock back. A session that is gone has given it back already. */
export async function advisoryUnlock(client: pg.ClientBase, key: bigint): Promise<void> {
  await client.query("SELECT pg_catalog.pg_advisory_unlock($1)", [key]).catch(() => {});
}

/** Takes a lock for the transaction, and waits for it. */
export async function advisoryTransactionLock(client: pg.ClientBase, key: bigint): Promise<void> {
  await client.query("SELECT pg_catalog.pg_advisory_xact_lock($1)", [key]);
}

/** Who holds a lock, for a message: process, application, user and since when. */
export async function advisoryLockHolder(client: pg.ClientBase, key: bigint): Promise<string> {
  const [high, low] = [BigInt.asUintN(32, key >> 32n), BigInt.asUintN(32, key)];
  const row = await maybeRow<{ who: string }>(
    client,
    `SELECT pg_catalog.format('process %s (%s, user %s, since %s)',
              a.pid, a.application_name, a.usename, a.backend_start::timestamptz(0)) AS who
       FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.classid = ${high} AND l.objid = ${low}
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`,
  );
  return row?.who ?? "a session that has just ended";
}

/** True while the session holds a lock of its own, as an SQL expression. */
export function holdsAdvisoryLock(key: bigint): string {
  const [high, low] = [BigInt.asUintN(32, key >> 32n), BigInt.asUintN(32, key)];
  return `EXISTS (SELECT FROM pg_catalog.pg_locks own_l
    WHERE own_l.locktype OPERATOR(pg_catalog.=) 'advisory' AND own_l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
      AND own_l.objsubid OPERATOR(pg_catalog.=) 1 AND own_l.granted
      AND own_l.classid OPERATOR(pg_catalog.=) ${high}::pg_catalog.oid AND own_l.objid OPERATOR(pg_catalog.=) ${low}::pg_catalog.oid)`;
}

import type pg from "pg";
import { type ConnectionSettings, openClient, withClient } from "../../postgres/connection.ts";

/**
 * What a database or role may have set that would bend our work, pinned for the session: a frozen database
 * makes transactions read-only by default, and a time limit would end a long copy. Queries of the catalog are compiled for
 * longer than they run.
 */
const pins = `
  SET default_transaction_read_only = off;
  SET default_transaction_isolation = 'read committed';
  SET statement_timeout = 0;
  SET lock_timeout = 0;
  SET idle_in_transaction_session_timeout = 0;
  SET client_min_messages = warning;
  SET jit = off;
  SET row_security = off`;

/** Lends a connection of the admin that sees every row and has no time limits. */
export async function withAdmin<T>(
  settings: ConnectionSettings,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return withClient(settings, async (client) => {
    await client.query(pins);
    return use(client);
  });
}

/** Lends a connection of this kind for each of the settings; they are opened at once. */
export async function withAdmins<T>(
  settings: readonly ConnectionSettings[],
  use: (clients: readonly pg.Client[]) => Promise<T>,
): Promise<T> {
  const opening = await Promise.allSettled(settings.map((one) => openClient(one)));
  const clients = opening.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  try {
    for (const one of opening) if (one.status === "rejected") throw one.reason;
    await Promise.all(clients.map((client) => client.query(pins)));
    return await use(clients);
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => {})));
  }
}

/** Whether the session's user is a superuser. */
export async function isSuperuser(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query("SELECT current_setting('is_superuser') = 'on' AS superuser");
  return rows[0].superuser;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Sessions on this database that could write: not ours, not autovacuum's, not a replication's. */
const otherSessions = `
  FROM pg_stat_activity a
  WHERE datname = current_database() AND pid <> ALL ($1) AND backend_type <> 'autovacuum worker'
    AND backend_start <= $2 AND pid NOT IN (SELECT active_pid FROM pg_replication_slots WHERE active_pid IS NOT NULL)`;

/**
 * Ends every session that began until now, save those of `spared`, and waits until they are gone.
 * Returns how many there were. Throws an Error with what is left after 30 seconds.
 */
export async function endSessions(client: pg.Client, spared: readonly number[]): Promise<number> {
  const { rows } = await client.query("SELECT clock_timestamp()::text AS now");
  const args = [spared, rows[0].now];
  const ended = await client.query(`SELECT pg_terminate_backend(pid) ${otherSessions}`, args);
  for (let attempt = 0; attempt < 1500; attempt++) {
    const left = await client.query(`SELECT pid, usename, pg_terminate_backend(pid) ${otherSessions}`, args);
    if (left.rowCount === 0) return ended.rowCount ?? 0;
    await pause(20);
  }
  throw new Error("sessions of the source did not end within 30 seconds");
}

/**
 * Does `work`, which waits for locks in the session `pid`, while a session of `settings` of its own ends each
 * backend that stands in the way, every 20 ms: well before the server would look for a deadlock (1 s).
 */
export async function endingBlockers<T>(
  settings: ConnectionSettings,
  pid: number,
  work: (reaper: number) => Promise<T>,
): Promise<T> {
  return withAdmin(settings, async (client) => {
    let working = true;
    const reap = async () => {
      while (working) {
        await client.query(
          "SELECT pg_terminate_backend(blocker) FROM unnest(pg_blocking_pids($1)) blocker WHERE blocker > 0",
          [pid],
        );
        await pause(20);
      }
    };
    const reaping = reap();
    try {
      return await work(await backendOf(client));
    } finally {
      working = false;
      await reaping.catch(() => {});
    }
  });
}

/** The process of the session on the server. */
export async function backendOf(client: pg.Client): Promise<number> {
  return Number((client as unknown as { processID: number }).processID);
}

import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { UserError } from "../../util/errors.ts";
import { backendOf, type SideSettings, withAdmin } from "../connections.ts";

/** Sessions on this database that could write: not ours, not autovacuum's, not a replication's. */
const otherSessions = `
  FROM pg_stat_activity a
  WHERE datname = current_database() AND pid <> ALL ($1) AND backend_type <> 'autovacuum worker'
    AND (current_setting('is_superuser') = 'on' OR usename NOT IN (SELECT rolname FROM pg_roles WHERE rolsuper)) -- may not be ended
    AND backend_start <= $2 AND pid NOT IN (SELECT active_pid FROM pg_replication_slots WHERE active_pid IS NOT NULL)`;

interface OtherSession {
  readonly pid: number;
  readonly who: string;
}

/** Asks every session to end that is not spared; gives those that were there. */
async function askToEnd(
  client: pg.Client,
  spared: readonly number[],
  until: string,
): Promise<OtherSession[]> {
  return rowsOf<OtherSession>(
    client,
    `SELECT pid, format('process %s (user %s, %s)', pid, usename, coalesce(nullif(application_name, ''), 'no application name')) AS who,
       pg_terminate_backend(pid) ${otherSessions}`,
    [spared, until],
  );
}

const lookEveryMs = 20;
const patienceMs = 30_000;

/**
 * Ends every session that began until now, save those of `spared`, and waits until they are gone.
 * Returns how many there were. Throws UserError that names those that are left after 30 seconds.
 */
export async function endSessions(client: pg.Client, spared: readonly number[]): Promise<number> {
  const { now } = await oneRow<{ now: string }>(client, "SELECT clock_timestamp()::text AS now");
  const found = await askToEnd(client, spared, now);
  const end = Date.now() + patienceMs;
  for (let left = found; left.length > 0; left = await askToEnd(client, spared, now)) {
    if (Date.now() > end)
      throw new UserError(
        `Sessions on the source did not end within ${patienceMs / 1000} s: ${left.map(({ who }) => who).join(", ")}. ` +
          "End them, then run this again.",
      );
    await sleep(lookEveryMs);
  }
  return found.length;
}

/**
 * Does `work`, which waits for locks in the session `pid`, while a session of `settings` of its own ends each
 * backend that stands in the way, every 20 ms: well before the server would look for a deadlock (1 s).
 */
export async function endingBlockers<T>(
  settings: SideSettings,
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
        await sleep(lookEveryMs);
      }
    };
    const reaping = reap();
    try {
      return await work(backendOf(client));
    } finally {
      working = false;
      await reaping.catch(() => {});
    }
  });
}

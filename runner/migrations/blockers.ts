import type pg from "pg";
import type { Session } from "./session.ts";

/** Who keeps a session waiting, as a person would look for it. */
async function blockersOf(watcher: pg.Client, pid: number): Promise<string[]> {
  const { rows } = await watcher.query<{ who: string }>(
    `SELECT pg_catalog.format('process %s (%s, user %s, %s, transaction open for %s)', pid,
            COALESCE(NULLIF(application_name, ''), 'no application name'), usename, COALESCE(state, 'state hidden'),
            COALESCE((pg_catalog.clock_timestamp() - xact_start)::interval(0)::text, 'an unknown time')) AS who
       FROM pg_catalog.pg_stat_activity WHERE pid = ANY (pg_catalog.pg_blocking_pids($1))`,
    [pid],
  );
  return rows.map(({ who }) => who);
}

/** Watches a session from beside, and tells what it waits for. */
export interface BlockerWatch {
  /** The sessions that were last seen in the way. */
  readonly seen: () => string | undefined;
  readonly stop: () => Promise<void>;
}

/**
 * Looks, from a second connection that opens only when the work takes longer than `after` milliseconds, which sessions
 * keep it waiting, and logs each change.
 */
export function watchBlockers(session: Session, after: number, log: (line: string) => void): BlockerWatch {
  let last: string | undefined;
  let timer: NodeJS.Timeout;
  let client: Promise<pg.Client> | undefined;
  let looking: Promise<void> = Promise.resolve();
  const look = async () => {
    client ??= session.openSecond();
    const found = (await blockersOf(await client, session.pid)).join(", ");
    if (found !== "" && found !== last) log(`Waiting for a lock that is held by ${found}`);
    last = found === "" ? last : found;
    timer = setTimeout(start, 1000);
  };
  const start = () => {
    looking = look().catch(() => {}); // to watch is a help, never a reason to fail
  };
  timer = setTimeout(start, after);
  return {
    seen: () => last,
    stop: async () => {
      clearTimeout(timer);
      await looking;
      clearTimeout(timer);
      await client?.then((open) => open.end()).catch(() => {});
    },
  };
}

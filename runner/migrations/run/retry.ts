import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { StatementError } from "./script.ts";
import type { Session } from "./session.ts";

const attempts = 5;

function codeOf(error: unknown): string | undefined {
  return ((error instanceof StatementError ? error.cause : error) as { code?: string }).code;
}

/** Lock timeout, and the deadlock that PostgreSQL broke at our cost: both leave nothing behind. */
export function lostALock(error: unknown): boolean {
  return ["55P03", "40P01"].includes(codeOf(error) ?? "");
}

/**
 * Runs `work` again, after longer and longer pauses, while it fails to get a lock within `lockTimeout`: between the
 * attempts those who queued behind it get on with their work. Each failure names the sessions in the way.
 */
export async function retryingLocks<T>(
  session: Session,
  lockTimeout: number,
  log: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const patience = Math.min(Math.max(lockTimeout, 100), 30_000);
  for (let attempt = 1; ; attempt++) {
    const watch = watchBlockers(session, Math.min(patience / 2, 1000), log);
    try {
      return await work();
    } catch (error) {
      if (!lostALock(error) || attempt === attempts) throw withBlockers(error, watch.seen(), attempt);
      const pause = patience * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
      const who = watch.seen() === undefined ? "" : `, held by ${watch.seen()}`;
      log(
        `No lock within ${lockTimeout} ms${who}. Attempt ${attempt} of ${attempts}; the next in ${(pause / 1000).toFixed(1)} s.`,
      );
      await sleep(pause);
    } finally {
      await watch.stop();
    }
  }
}

function withBlockers(error: unknown, blockers: string | undefined, attempt: number): unknown {
  if (!lostALock(error) || !(error instanceof StatementError)) return error;
  const who = blockers === undefined ? "" : `; the lock is held by ${blockers}`;
  error.cause.message += ` (${attempt} attempts${who})`;
  return error;
}

/** Who keeps a session waiting, as a person would look for it. */
async function blockersOf(watcher: pg.Client, pid: number): Promise<string[]> {
  const rows = await rowsOf<{ who: string }>(
    watcher,
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

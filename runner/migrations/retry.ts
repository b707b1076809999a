import { setTimeout as sleep } from "node:timers/promises";
import { watchBlockers } from "./blockers.ts";
import { StatementError } from "./run-script.ts";
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

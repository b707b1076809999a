import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import {
  advisoryKey,
  advisoryLockHolder,
  advisoryUnlock,
  tryAdvisoryLock,
} from "../../postgres/advisory-lock.ts";
import { UserError } from "../../util/errors.ts";
import type { HistoryTable } from "./history.ts";

/** How long to wait for another run, in milliseconds. */
const patience = 15 * 60_000;

/** The advisory lock's key: one for each history table. */
export function lockKey({ schema, table }: HistoryTable): bigint {
  return advisoryKey(`pgstack migrations ${schema}.${table}`);
}

async function acquire(client: pg.Client, key: bigint, log: (line: string) => void): Promise<void> {
  const deadline = Date.now() + patience;
  for (let pause = 50; !(await tryAdvisoryLock(client, key)); pause = Math.min(pause * 2, 1000)) {
    if (pause === 50)
      log(
        `Another run of migrations holds the lock: ${await advisoryLockHolder(client, key)}. Waiting for it.`,
      );
    if (Date.now() > deadline)
      throw new UserError(
        `Another run of migrations still holds the lock after ${patience / 60_000} minutes: ${await advisoryLockHolder(client, key)}. ` +
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
    await advisoryUnlock(client, key);
  }
}

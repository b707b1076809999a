import { randomUUID } from "node:crypto";
import type pg from "pg";
import { hasRow, maybeRow } from "../../postgres/rows.ts";
import { UserError } from "../../util/errors.ts";
import { stateSchema } from "../state/state.ts";

/** A row that is replicated like any other: its value says that all that was committed before it has arrived. */
export const heartbeatTable = { schema: stateSchema, table: "heartbeat", name: `${stateSchema}.heartbeat` };

/** One value of the heartbeat. */
export type HeartbeatMarker = string;

export const makeHeartbeat = `CREATE SCHEMA IF NOT EXISTS ${stateSchema};
  CREATE TABLE IF NOT EXISTS ${heartbeatTable.name} (id int PRIMARY KEY, beat text NOT NULL)`;

/** Commits a new heartbeat on the source. With it, everything committed before is on disk, and so in the stream. */
export async function sendHeartbeat(source: pg.Client): Promise<HeartbeatMarker> {
  const marker = randomUUID();
  await source.query(
    `SET synchronous_commit = local;
     INSERT INTO ${heartbeatTable.name} VALUES (1, '${marker}') ON CONFLICT (id) DO UPDATE SET beat = excluded.beat`,
  );
  return marker;
}

/** Whether the heartbeat, and so all before it, can be seen in the target's session. */
export async function hasHeartbeat(target: pg.Client, marker: HeartbeatMarker): Promise<boolean> {
  return hasRow(target, `SELECT FROM ${heartbeatTable.name} WHERE beat = '${marker}'`);
}

/** The process that applies on the target what was written on the source; undefined where none does. */
async function applyingProcess(target: pg.Client): Promise<number | undefined> {
  const found = await maybeRow<{ pid: number }>(
    target,
    `SELECT pid FROM pg_stat_subscription a JOIN pg_subscription s ON s.oid = a.subid JOIN pg_database d ON d.oid = s.subdbid
     WHERE d.datname = current_database() AND s.subname LIKE 'pgstack\\_%' AND a.pid IS NOT NULL`,
  );
  return found?.pid;
}

const lookEveryMs = 250;
/** Three times what a server waits before it starts such a process again (wal_retrieve_retry_interval). */
const patienceMs = 15_000;

/** Tries until it works, for as long as a target may be behind, and as long as it applies anything at all. */
export async function untilCaughtUp<T>(target: pg.Client, attempt: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 600_000;
  let seen: { at: number; pid: number | undefined } = { at: Date.now(), pid: undefined };
  let applied = seen.at;
  while (Date.now() < end) {
    const result = await attempt();
    if (result !== undefined) return result;
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (Date.now() - seen.at < lookEveryMs) continue;
    const before = seen.pid;
    seen = { at: Date.now(), pid: await applyingProcess(target) };
    if (seen.pid !== undefined && seen.pid === before) applied = seen.at;
    else if (seen.at - applied > patienceMs) throw notApplied();
  }
  throw new UserError(
    "The target did not catch up with the source within 10 minutes: see ./pgstack cutover status",
  );
}

function notApplied(): UserError {
  return new UserError(
    "The target does not apply what was written on the source: the process that does so ends again and again, and the log " +
      "of the target's server says why. In replication a function of a generated column, an index or a trigger has no search_path " +
      "but its own: give it one there (ALTER FUNCTION … SET search_path = …), or use method copy.",
  );
}

/** Waits until everything that was committed on the source has been applied on the target. */
export async function catchUp(source: pg.Client, target: pg.Client): Promise<HeartbeatMarker> {
  const marker = await sendHeartbeat(source);
  return untilCaughtUp(target, async () => ((await hasHeartbeat(target, marker)) ? marker : undefined));
}

import { randomUUID } from "node:crypto";
import type pg from "pg";
import { UserError } from "../user-error.ts";
import { stateSchema } from "./state.ts";

/** A row that is replicated like any other: its value says that all that was committed before it has arrived. */
export const heartbeatTable = { schema: stateSchema, table: "heartbeat", name: `${stateSchema}.heartbeat` };

/** One value of the heartbeat. */
export type Beat = string;

export const makeHeartbeat = `CREATE SCHEMA IF NOT EXISTS ${stateSchema};
  CREATE TABLE IF NOT EXISTS ${heartbeatTable.name} (id int PRIMARY KEY, beat text NOT NULL)`;

/** Commits a new heartbeat on the source. With it, everything committed before is on disk, and so in the stream. */
export async function sendBeat(source: pg.Client): Promise<Beat> {
  const beat = randomUUID();
  await source.query(
    `SET synchronous_commit = local;
     INSERT INTO ${heartbeatTable.name} VALUES (1, '${beat}') ON CONFLICT (id) DO UPDATE SET beat = excluded.beat`,
  );
  return beat;
}

/** Whether the heartbeat, and so all before it, can be seen in the target's session. */
export async function hasBeat(target: pg.Client, beat: Beat): Promise<boolean> {
  const { rowCount } = await target.query(`SELECT FROM ${heartbeatTable.name} WHERE beat = '${beat}'`);
  return rowCount !== 0;
}

/** Tries until it works, for as long as a target may be behind. */
export async function untilCaughtUp<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 600_000;
  while (Date.now() < end) {
    const result = await attempt();
    if (result !== undefined) return result;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new UserError(
    "The target did not catch up with the source within 10 minutes: see ./pgstack cutover status",
  );
}

/** Waits until everything that was committed on the source has been applied on the target. */
export async function catchUp(source: pg.Client, target: pg.Client): Promise<Beat> {
  const beat = await sendBeat(source);
  return untilCaughtUp(async () => ((await hasBeat(target, beat)) ? beat : undefined));
}

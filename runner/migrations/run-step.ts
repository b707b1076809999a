import pg from "pg";
import { dropInvalid, indexState } from "./concurrent-index.ts";
import { finishDetaching, partitionState } from "./detach-partition.ts";
import { progressSql } from "./progress.ts";
import type { Job, Run } from "./run-migration.ts";
import { placeFailure } from "./run-script.ts";
import type { Script } from "./script.ts";
import { sendScript } from "./script-query.ts";
import type { Step } from "./steps.ts";

/** A `transaction=off` script on its way. */
export interface Walk {
  readonly run: Run;
  readonly job: Job;
  readonly script: Script;
  readonly steps: readonly Step[];
}

/** Runs one statement of the script. Throws StatementError. */
export async function send(walk: Walk, step: Step): Promise<void> {
  const { script, run } = walk;
  const { completed, error } = await sendScript(
    run.session.client,
    script.text.slice(step.start, step.end),
    step.copyData,
  );
  if (error === undefined) return;
  const { start, end } = step;
  const statement = script.statements.find((one) => one.start === start);
  throw placeFailure(
    script,
    { statements: statement === undefined ? [] : [statement], start, end },
    { completed, ahead: 0 },
    error,
  );
}

/** Keeps count in a transaction of its own. */
async function keepCount({ run, job }: Walk, done: number, begun: number | null): Promise<void> {
  const sql = progressSql(run.table, job.name, run.session.owner, { done, begun });
  await run.session.client.query(`BEGIN; ${sql}; COMMIT`);
}

/** Statement and count in one transaction: no moment at which a kill could leave one without the other. */
async function runAtomic(walk: Walk, step: Step, number: number): Promise<void> {
  const { client, owner } = walk.run.session;
  await client.query("BEGIN");
  try {
    await send(walk, step);
    await client.query(
      `${progressSql(walk.run.table, walk.job.name, owner, { done: number, begun: null })}; COMMIT`,
    );
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

/** An index counts as built only when it is valid; what a failed build left is dropped. */
async function runCreateIndex(
  walk: Walk,
  step: Step & { kind: "create index" },
  resumed: boolean,
): Promise<void> {
  const { session, log } = walk.run;
  await dropInvalid(session.client, step.index, log);
  if (resumed && (await indexState(session.client, step.index)) === "valid") return;
  try {
    await send(walk, step);
  } catch (error) {
    await dropInvalid(session.client, step.index, log).catch(() => {}); // the next run tries again
    throw error;
  }
  if ((await indexState(session.client, step.index)) === "invalid")
    throw new Error(`index ${step.index.sql} is not valid after it was built`);
}

async function runDropIndex(walk: Walk, step: Step, resumed: boolean): Promise<void> {
  await send(walk, step).catch((error: Error & { cause?: unknown }) => {
    const missing = error.cause instanceof pg.DatabaseError && error.cause.code === "42704";
    if (!(resumed && missing)) throw error; // a killed run may have dropped it and not counted it
  });
}

/** A detachment that was cut off leaves a partition that is neither in nor out: the end of it can be made up for. */
async function runDetachPartition(
  walk: Walk,
  step: Step & { kind: "detach partition" },
  resumed: boolean,
): Promise<void> {
  const { session, log } = walk.run;
  const state = await partitionState(session.client, step.partition);
  if (state === "pending") return finishDetaching(session.client, step.partition, log);
  if (state === "absent" && resumed) return;
  await send(walk, step);
}

async function runOpaque(walk: Walk, step: Step, number: number): Promise<void> {
  await keepCount(walk, number - 1, number);
  try {
    await send(walk, step);
  } catch (error) {
    await keepCount(walk, number - 1, null).catch(() => {}); // the connection is gone: nobody knows, and the count says so
    throw error;
  }
}

/** Runs a step and counts it as done. `resumed`: a run before this one may have begun it. */
export async function runStep(walk: Walk, step: Step, number: number, resumed: boolean): Promise<void> {
  if (step.kind === "atomic") return runAtomic(walk, step, number);
  if (step.kind === "create index")
    await runCreateIndex(walk, step as Step & { kind: "create index" }, resumed);
  else if (step.kind === "drop index") await runDropIndex(walk, step, resumed);
  else if (step.kind === "detach partition")
    await runDetachPartition(walk, step as Step & { kind: "detach partition" }, resumed);
  else if (step.kind === "opaque") await runOpaque(walk, step, number);
  else await send(walk, step);
  await keepCount(walk, number, null);
}

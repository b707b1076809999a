import pg from "pg";
import { maybeRow } from "../../postgres/rows.ts";
import type { Script } from "../files/script.ts";
import { progressSql } from "../history/progress.ts";
import type { Job, Run } from "./job.ts";
import { placeFailure } from "./script.ts";
import { sendScript } from "./script-query.ts";
import type { IndexName, PartitionName, Step } from "./statement-kinds.ts";

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
  const sql = progressSql(run.table, job.migration.name, run.session.owner, { done, begun });
  await run.session.client.query(`BEGIN; ${sql}; COMMIT`);
}

/** Statement and count in one transaction: no moment at which a kill could leave one without the other. */
async function runAtomic(walk: Walk, step: Step, number: number): Promise<void> {
  const { client, owner } = walk.run.session;
  await client.query("BEGIN");
  try {
    await send(walk, step);
    await client.query(
      `${progressSql(walk.run.table, walk.job.migration.name, owner, { done: number, begun: null })}; COMMIT`,
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

/** `absent`, `valid`, or `invalid`: left over from a CREATE INDEX CONCURRENTLY that failed or was killed. */
export type IndexState = "absent" | "valid" | "invalid";

/** How the index stands that the statement builds. */
export async function indexState(client: pg.Client, { name, table }: IndexName): Promise<IndexState> {
  const found = await maybeRow<{ valid: boolean }>(
    client,
    `SELECT i.indisvalid AND i.indisready AS valid
       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
      WHERE c.relname OPERATOR(pg_catalog.=) $1::name AND i.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($2)`,
    [name, table],
  );
  return found === undefined ? "absent" : found.valid ? "valid" : "invalid";
}

/** Drops what a failed build left: it costs every write, and a unique one still refuses rows. */
export async function dropInvalid(
  client: pg.Client,
  index: IndexName,
  log: (line: string) => void,
): Promise<void> {
  if ((await indexState(client, index)) !== "invalid") return;
  log(`dropping the invalid index ${index.sql}, left over from a build that did not finish`);
  await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${index.sql}`);
}

/** `attached`, `absent`, or `pending`: left over from a DETACH PARTITION … CONCURRENTLY that failed or was killed. */
export type PartitionState = "attached" | "absent" | "pending";

/** How the partition stands that the statement detaches. */
export async function partitionState(
  client: pg.Client,
  { parent, partition }: PartitionName,
): Promise<PartitionState> {
  const found = await maybeRow<{ pending: boolean }>(
    client,
    `SELECT inhdetachpending AS pending FROM pg_catalog.pg_inherits
      WHERE inhparent OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1) AND inhrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($2)`,
    [parent, partition],
  );
  return found === undefined ? "absent" : found.pending ? "pending" : "attached";
}

/** Ends what was begun: PostgreSQL lets a half detached partition neither stay nor be detached again. */
export async function finishDetaching(
  client: pg.Client,
  { parent, partition }: PartitionName,
  log: (line: string) => void,
): Promise<void> {
  log(`finishing to detach the partition ${partition}, which was cut off on its way`);
  await client.query(`ALTER TABLE ${parent} DETACH PARTITION ${partition} FINALIZE`);
}

import pg from "pg";
import { RefusedError } from "../user-error.ts";
import { dropInvalid, indexState } from "./concurrent-index.ts";
import { insertSql, readApplied } from "./history.ts";
import type { MigrationFile } from "./migration.ts";
import { progressSql, readProgress } from "./progress.ts";
import { retryingLocks } from "./retry.ts";
import { type Job, type Run, scriptOf } from "./run-migration.ts";
import { placeFailure, StatementError } from "./run-script.ts";
import { readScript, type Script } from "./script.ts";
import { InvalidScriptError } from "./script-fault.ts";
import { sendScript } from "./script-query.ts";
import { type Step, stepsOf } from "./steps.ts";
import { parseStatements } from "./syntax.ts";

/** A `transaction=off` script on its way. */
interface Walk {
  readonly run: Run;
  readonly job: Job;
  readonly script: Script;
  readonly steps: readonly Step[];
}

async function send(walk: Walk, step: Step): Promise<void> {
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

async function runOpaque(walk: Walk, step: Step, number: number): Promise<void> {
  await keepCount(walk, number - 1, number);
  try {
    await send(walk, step);
  } catch (error) {
    await keepCount(walk, number - 1, null).catch(() => {}); // the connection is gone: nobody knows, and the count says so
    throw error;
  }
}

async function runStep(walk: Walk, step: Step, number: number, resumed: boolean): Promise<void> {
  if (step.kind === "atomic") return runAtomic(walk, step, number);
  if (step.kind === "create index")
    await runCreateIndex(walk, step as Step & { kind: "create index" }, resumed);
  else if (step.kind === "drop index") await runDropIndex(walk, step, resumed);
  else if (step.kind === "opaque") await runOpaque(walk, step, number);
  else await send(walk, step);
  await keepCount(walk, number, null);
}

function refuseUnclear({ job, steps, script }: Walk, begun: number): never {
  const step = steps[begun - 1];
  const where = step === undefined ? "" : ` (${script.placeOf(step.start)})`;
  throw new RefusedError(
    `Migration ${job.name} was cut off while statement ${begun} of ${steps.length}${where} ran, and whether that one is done ` +
      `cannot be told. Look at the database, then say where to go on: ./pgstack repair ${job.name} --next ${begun} runs it again, ` +
      `--next ${begun + 1} goes on behind it.`,
  );
}

/** The settings that statements before the present one made for their session, which is a new one now. */
async function replay(walk: Walk, done: number): Promise<void> {
  for (const step of walk.steps.slice(0, done)) if (step.replayed) await send(walk, step);
}

async function walkFrom(walk: Walk, done: number, resumed: boolean): Promise<void> {
  const { session, settings, log } = walk.run;
  const { lockTimeout = settings.lockTimeout, statementTimeout = settings.statementTimeout } =
    walk.script.options;
  await session.client.query(
    `SET lock_timeout = ${lockTimeout}; SET statement_timeout = ${statementTimeout}`,
  );
  if (resumed) log(`${walk.job.name} goes on at statement ${done + 1} of ${walk.steps.length}`);
  await replay(walk, done);
  for (const [index, step] of walk.steps.entries()) {
    if (index < done) continue;
    const again = resumed && index === done;
    await retryingLocks(session, lockTimeout, log, () => runStep(walk, step, index + 1, again));
  }
}

async function begin(run: Run, job: Job): Promise<Walk> {
  const script = scriptOf(job);
  try {
    return { run, job, script, steps: stepsOf(await parseStatements(script.text, script.statements)) };
  } catch (error) {
    if (!(error instanceof InvalidScriptError)) throw error;
    throw new StatementError({ where: script.placeOf(error.offset) }, error);
  }
}

async function finish(run: Run, sql: string): Promise<void> {
  await run.session.client.query(`${run.session.resetSql}; BEGIN; ${sql}; COMMIT`);
}

async function walkCounted(walk: Walk, resumed: boolean): Promise<void> {
  const { session, table } = walk.run;
  const progress = await readProgress(session.client, table, walk.job.name);
  if (progress?.begun != null) refuseUnclear(walk, progress.begun);
  try {
    await walkFrom(walk, progress?.done ?? 0, resumed);
  } finally {
    await session.client.query(session.resetSql).catch(() => {});
  }
}

/** A script that failed may be mended from its first undone statement on; what is done must be as it was. */
async function acceptMended(
  { run, job, steps, script }: Walk,
  file: MigrationFile,
  done: number,
): Promise<void> {
  const stored = await readApplied(run.session.client, run.table, file.name);
  if (stored === undefined || stored.checksum === file.checksum) return;
  const old = readScript(stored.up, job.origin);
  const oldSteps = await parseStatements(old.text, old.statements);
  const textOf = (from: string, step: { start: number; end: number } | undefined) =>
    step === undefined ? undefined : from.slice(step.start, step.end).trim();
  for (let index = 0; index < done; index++)
    if (textOf(old.text, oldSteps[index]) !== textOf(script.text, steps[index]))
      throw new RefusedError(
        `Migration ${file.name} stopped after statement ${done}, and statement ${index + 1}, which is done, was edited since. ` +
          "Put its old text back; from the first undone statement on the file may change.",
      );
  await run.session.client.query(
    `UPDATE ${run.table.sql} SET up = $2, down = $3, checksum = $4 WHERE name = $1`,
    [file.name, file.up, file.down, file.checksum],
  );
}

/** Where not even the first statement is done there is nothing to go on from, and the row would only confuse. */
async function forgetUnbegun({ run, job }: Walk): Promise<void> {
  await run.session.client.query(
    `DELETE FROM ${run.table.sql} WHERE name = $1 AND statements_done = 0 AND statement_begun IS NULL AND NOT reverting`,
    [job.name],
  );
}

/** Runs an up script a statement at a time; a run that was cut off is taken up where it stopped. */
export async function runStepwise(run: Run, job: Job, file: MigrationFile): Promise<void> {
  const walk = await begin(run, job);
  const { client } = run.session;
  const started = performance.now();
  const before = await readProgress(client, run.table, job.name);
  if (before?.reverting === true)
    throw new RefusedError(
      `Migration ${job.name} is half taken back; finish that with ./pgstack downgrade first.`,
    );
  if (before === undefined)
    await client.query(insertSql(run.table, file, { milliseconds: 0, statementsDone: 0 }));
  else await acceptMended(walk, file, before.done);
  try {
    await walkCounted(walk, before !== undefined);
  } catch (error) {
    await forgetUnbegun(walk).catch(() => {});
    throw error;
  }
  await finish(
    run,
    `UPDATE ${run.table.sql} SET statements_done = NULL, statement_begun = NULL, applied_at = pg_catalog.clock_timestamp(),
       duration = duration + '${(performance.now() - started).toFixed(3)} milliseconds' WHERE name = ${pg.escapeLiteral(file.name)}`,
  );
}

/** Runs a down script a statement at a time, and takes the row out at its end. */
export async function runStepwiseDown(run: Run, job: Job): Promise<void> {
  const walk = await begin(run, job);
  const { client } = run.session;
  const before = await readProgress(client, run.table, job.name);
  await client.query(
    `UPDATE ${run.table.sql} SET reverting = true, statements_done = 0, statement_begun = NULL WHERE name = $1 AND NOT reverting`,
    [job.name],
  );
  await walkCounted(walk, before?.reverting === true);
  await finish(run, job.record(0));
}

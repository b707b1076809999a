import { literal } from "../../postgres/sql.ts";
import { InvalidScriptError } from "../../postgres/sql-lexer.ts";
import { RefusedError } from "../../util/errors.ts";
import { readScript } from "../files/script.ts";
import { insertSql, noTime, readApplied } from "../history/history.ts";
import { readProgress } from "../history/progress.ts";
import { parseStatements } from "../lint/parse.ts";
import { type Job, type Run, timeoutsOf } from "./job.ts";
import { retryingLocks } from "./retry.ts";
import { runStep, send, type Walk } from "./run-statement.ts";
import { StatementError } from "./script.ts";
import { stepsOf } from "./statement-kinds.ts";

function refuseUnclear({ job, steps, script }: Walk, begun: number): never {
  const step = steps[begun - 1];
  const where = step === undefined ? "" : ` (${script.placeOf(step.start)})`;
  throw new RefusedError(
    `Migration ${job.migration.name} was cut off while statement ${begun} of ${steps.length}${where} ran, and whether that one is done ` +
      `cannot be told. Look at the database, then say where to continue: ./pgstack repair ${job.migration.name} --next ${begun} runs it again, ` +
      `--next ${begun + 1} continues behind it.`,
  );
}

/** The settings that statements before the present one made for their session, which is a new one now. */
async function replay(walk: Walk, done: number): Promise<void> {
  for (const step of walk.steps.slice(0, done)) if (step.replayed) await send(walk, step);
}

async function walkFrom(walk: Walk, done: number, resumed: boolean): Promise<void> {
  const { session, log } = walk.run;
  const { lockTimeout, statementTimeout } = timeoutsOf(walk.run, walk.job);
  await session.client.query(
    `SET lock_timeout = ${lockTimeout}; SET statement_timeout = ${statementTimeout}; RESET row_security`,
  );
  if (resumed) log(`${walk.job.migration.name} continues at statement ${done + 1} of ${walk.steps.length}`);
  await replay(walk, done);
  for (const [index, step] of walk.steps.entries()) {
    if (index < done) continue;
    const again = resumed && index === done;
    await retryingLocks(session, lockTimeout, log, () => runStep(walk, step, index + 1, again));
  }
}

async function begin(run: Run, job: Job): Promise<Walk> {
  const { script } = job;
  try {
    return {
      run,
      job,
      script,
      steps: stepsOf(await parseStatements(script.text, script.statements), script.text),
    };
  } catch (error) {
    if (!(error instanceof InvalidScriptError)) throw error;
    throw new StatementError({ where: script.placeOf(error.offset) }, error);
  }
}

async function walkCounted(walk: Walk, resumed: boolean): Promise<void> {
  const { session, table } = walk.run;
  const progress = await readProgress(session.client, table, walk.job.migration.name);
  if (progress?.begun != null) refuseUnclear(walk, progress.begun);
  try {
    await walkFrom(walk, progress?.done ?? 0, resumed);
  } finally {
    await session.client.query(session.resetSql).catch(() => {});
  }
}

/** A script that failed may be mended from its first undone statement on; what is done must be as it was. */
async function acceptMended({ run, job, steps, script }: Walk, done: number): Promise<void> {
  const file = job.migration;
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

/** Where not even the first statement is done there is nothing to continue from, and the row would only confuse. */
async function forgetUnbegun({ run, job }: Walk): Promise<void> {
  await run.session.client.query(
    `DELETE FROM ${run.table.sql} WHERE name = $1 AND statements_done = 0 AND statement_begun IS NULL AND NOT reverting`,
    [job.migration.name],
  );
}

/** Runs an up script; one that was cut off is taken up where it stopped. */
async function runUp(walk: Walk): Promise<void> {
  const { run, job } = walk;
  const { client } = run.session;
  const { migration } = job;
  const before = await readProgress(client, run.table, migration.name);
  if (before?.reverting === true)
    throw new RefusedError(
      `Migration ${migration.name} is half reverted; finish that with ./pgstack downgrade first.`,
    );
  if (before === undefined)
    await client.query(insertSql(run.table, migration, { duration: noTime, statementsDone: 0 }));
  else await acceptMended(walk, before.done);
  try {
    await walkCounted(walk, before !== undefined);
  } catch (error) {
    await forgetUnbegun(walk).catch(() => {});
    throw error;
  }
}

async function runDown(walk: Walk): Promise<void> {
  const { run, job } = walk;
  const { client } = run.session;
  const before = await readProgress(client, run.table, job.migration.name);
  await client.query(
    `UPDATE ${run.table.sql} SET reverting = true, statements_done = 0, statement_begun = NULL WHERE name = $1 AND NOT reverting`,
    [job.migration.name],
  );
  await walkCounted(walk, before?.reverting === true);
}

/**
 * Runs a `transaction=off` script a statement at a time. Leaves a transaction open, in which its history row is completed or
 * deleted.
 */
export async function runStepwise(run: Run, job: Job): Promise<void> {
  const started = performance.now();
  const walk = await begin(run, job);
  await (job.direction === "up" ? runUp(walk) : runDown(walk));
  const taken = `interval '${(performance.now() - started).toFixed(3)} milliseconds'`;
  await run.session.client.query(
    `${run.session.resetSql}; BEGIN;
     UPDATE ${run.table.sql} SET duration = duration + ${taken} WHERE name = ${literal(job.migration.name)}`,
  );
}

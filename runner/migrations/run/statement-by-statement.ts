import pg from "pg";
import { RefusedError } from "../../util/errors.ts";
import { InvalidScriptError } from "../files/lexer.ts";
import { readScript } from "../files/script.ts";
import type { MigrationFile } from "../files/types.ts";
import { insertSql, noTime, readApplied } from "../history/history.ts";
import { readProgress } from "../history/progress.ts";
import { parseStatements } from "../lint/parse.ts";
import type { Job, Run } from "./job.ts";
import { retryingLocks } from "./retry.ts";
import { runStep, send, type Walk } from "./run-statement.ts";
import { StatementError } from "./script.ts";
import { stepsOf } from "./statement-kinds.ts";

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
  const { script } = job;
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
    await client.query(insertSql(run.table, file, { duration: noTime, statementsDone: 0 }));
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
  await finish(run, job.record("transaction"));
}

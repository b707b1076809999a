import { randomUUID } from "node:crypto";
import { holdsAdvisoryLock } from "../../postgres/advisory-lock.ts";
import { UserError } from "../../util/errors.ts";
import { readScript } from "../files/script.ts";
import { lockKey } from "../history/lock.ts";
import { type Job, type Run, timeoutsOf } from "./job.ts";
import { runModule } from "./module.ts";
import { retryingLocks } from "./retry.ts";
import { type Frame, runScript } from "./script.ts";
import { sendScript } from "./script-query.ts";

/** The statements that begin a job's transaction, marked as its own. */
function beginning(run: Run, job: Job, marker: string): string[] {
  const { lockTimeout, statementTimeout } = timeoutsOf(run, job);
  return [
    "BEGIN",
    `SET LOCAL lock_timeout = ${lockTimeout}`,
    `SET LOCAL statement_timeout = ${statementTimeout}`,
    "SET LOCAL row_security TO DEFAULT",
    `SET LOCAL pgstack.migration = '${marker}'`,
  ];
}

/** What a transaction says of itself at its end, in SQL: whether it is still the one that we began, and the lock still ours. */
function checkSql(run: Run, marker: string): string {
  return `SELECT pg_catalog.current_setting('pgstack.migration', true) OPERATOR(pg_catalog.=) '${marker}' IS TRUE,
    ${holdsAdvisoryLock(lockKey(run.table))}`;
}

/** What is checked at the end of a transaction is checked before its history row is written: a failure is the script's. */
const ending = (run: Run, marker: string): string[] => [
  "SET statement_timeout = 0",
  "SET CONSTRAINTS ALL IMMEDIATE",
  checkSql(run, marker),
];

function refuseBroken([same, locked]: readonly (string | null)[]): void {
  if (same !== "t")
    throw new UserError(
      "The script ended the transaction that it ran in (COMMIT or ROLLBACK); what it committed is kept and is not recorded. " +
        "Take that statement out, or use transaction=off.",
    );
  if (locked !== "t")
    throw new UserError(
      "The session no longer holds the lock of the migrations. Either the script gave it up (pg_advisory_unlock_all, DISCARD ALL), " +
        "or a transaction pooler stands between here and the server: connect to the server itself.",
    );
}

/** With a round trip for each part of the frame most migrations would take twice as long. */
async function perform(run: Run, job: Job): Promise<void> {
  const { client } = run.session;
  const marker = randomUUID();
  const frame: Frame = { before: beginning(run, job, marker), after: ending(run, marker) };
  if (job.migration.language === "sql") return refuseBroken(await runScript(client, job.script, frame));
  await client.query(frame.before.join("; "));
  const sql = await run.strays.during(job.migration.name, () =>
    runModule(client, job.section, job.direction),
  );
  if (sql !== undefined) await runScript(client, readScript(sql, job.origin));
  const { error, lastRow } = await sendScript(client, frame.after.join("; "));
  if (error !== undefined) throw error;
  refuseBroken(lastRow);
}

async function attempt(run: Run, job: Job): Promise<void> {
  const { client, resetSql } = run.session;
  try {
    await perform(run, job);
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    await client.query(resetSql).catch(() => {});
    throw error;
  }
}

/**
 * Runs one direction of a migration in a transaction, which it leaves open: the history row follows in it. Nothing is left
 * where it fails. Throws StatementError, UserError, or PostgreSQL's error.
 */
async function runInTransaction(run: Run, job: Job): Promise<void> {
  const { lockTimeout } = timeoutsOf(run, job);
  await retryingLocks(run.session, lockTimeout, run.log, () => attempt(run, job));
}

/** Runs a job in the way that its script asks for, and leaves a transaction open for its history row. */
export async function runJob(run: Run, job: Job): Promise<void> {
  run.strays.check();
  if (job.script.options.transaction) return runInTransaction(run, job);
  const { runStepwise } = await import("./statement-by-statement.ts"); // brings PostgreSQL's parser with it
  await runStepwise(run, job);
}

import { randomUUID } from "node:crypto";
import { UserError } from "../user-error.ts";
import type { Began, HistoryTable } from "./history.ts";
import { lockHeldSql, lockKey } from "./lock.ts";
import { callDirection } from "./module.ts";
import type { Pipeline } from "./pipeline.ts";
import { retryingLocks } from "./retry.ts";
import { type Frame, runScript } from "./run-script.ts";
import { type Origin, readScript, type Script } from "./script.ts";
import type { Session } from "./session.ts";
import type { MigrationSettings } from "./settings.ts";

/** What every migration of one run shares. */
export interface Run {
  readonly session: Session;
  readonly table: HistoryTable;
  readonly settings: Pick<MigrationSettings, "lockTimeout" | "statementTimeout">;
  readonly log: (line: string) => void;
}

/** One direction of a migration, ready to run. */
export interface Job {
  readonly name: string;
  readonly language: "sql" | "js";
  readonly direction: "up" | "down";
  /** The whole text: of the script, or of the module. */
  readonly section: string;
  /** The script; a module's is empty, since only running it shows its SQL. */
  readonly script: Script;
  readonly origin: Origin;
  /** The statements that keep the history in step with what ran, to be sent in the migration's transaction. */
  readonly record: (began: Began) => string;
}

/** Reads the script of a job. */
export function jobOf(job: Omit<Job, "script">): Job {
  return { ...job, script: readScript(job.language === "sql" ? job.section : "", job.origin) };
}

/** The statements that begin a job's transaction, marked as its own. */
export function beginning(run: Run, { script }: Job, marker: string): string[] {
  const { lockTimeout = run.settings.lockTimeout, statementTimeout = run.settings.statementTimeout } =
    script.options;
  return [
    "BEGIN",
    `SET LOCAL lock_timeout = ${lockTimeout}`,
    `SET LOCAL statement_timeout = ${statementTimeout}`,
    `SET LOCAL pgstack.migration = '${marker}'`,
  ];
}

/** The statements that end it. */
export function ending(run: Run, job: Job, marker: string, began: Began): string[] {
  const { resetSql } = run.session;
  return ["SET statement_timeout = 0", guardSql(run, marker), resetSql, job.record(began), "COMMIT"];
}

const brokenGuards = {
  "pgstack: transaction":
    "The script ended the transaction that it ran in (COMMIT or ROLLBACK); what it committed is kept and is not recorded. " +
    "Take that statement out, or use transaction=off.",
  "pgstack: lock":
    "The session no longer holds the lock of the migrations. Either the script gave it up (pg_advisory_unlock_all, DISCARD ALL), " +
    "or a transaction pooler stands between here and the server: connect to the server itself.",
};

/**
 * Fails, and with it all that follows in its message, unless the transaction is still the one that we began and the lock
 * still ours. SQL raises no error of one's own without a function, so a number that is none has to do.
 */
function guardSql(run: Run, marker: string): string {
  return `SELECT pg_catalog.int4in(CASE
      WHEN pg_catalog.current_setting('pgstack.migration', true) OPERATOR(pg_catalog.=) '${marker}' IS NOT TRUE THEN 'pgstack: transaction'
      WHEN NOT ${lockHeldSql(lockKey(run.table))} THEN 'pgstack: lock' ELSE '0' END::pg_catalog.cstring)`;
}

function explainGuard(error: Error): Error {
  const broken = Object.entries(brokenGuards).find(([sign]) => error.message.includes(sign));
  return broken === undefined ? error : new UserError(broken[1], { cause: error });
}

/** With a round trip for each part of the frame most migrations would take twice as long. */
async function perform(run: Run, job: Job): Promise<void> {
  const { client } = run.session;
  const marker = randomUUID();
  const frame: Frame = {
    before: beginning(run, job, marker),
    after: ending(run, job, marker, "transaction"),
  };
  if (job.language === "sql") return runScript(client, job.script, frame);
  await client.query(frame.before.join("; "));
  const sql = await callDirection(job.section, job.direction, client);
  if (sql !== undefined) await runScript(client, readScript(sql, job.origin));
  await client.query(frame.after.join("; "));
}

async function attempt(run: Run, job: Job, pipeline: Pipeline | undefined): Promise<void> {
  const { client, resetSql } = run.session;
  try {
    if ((await pipeline?.perform(job)) !== true) await perform(run, job);
  } catch (error) {
    await pipeline?.stop();
    await client.query("ROLLBACK").catch(() => {});
    await client.query(resetSql).catch(() => {});
    throw explainGuard(error as Error);
  }
}

/** Runs one direction of a migration and its record in one transaction: both are there afterwards, or neither. */
export async function runInTransaction(run: Run, job: Job, pipeline?: Pipeline): Promise<void> {
  const lockTimeout = job.script.options.lockTimeout ?? run.settings.lockTimeout;
  await retryingLocks(run.session, lockTimeout, run.log, () => attempt(run, job, pipeline));
}

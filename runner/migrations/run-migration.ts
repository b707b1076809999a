import { randomUUID } from "node:crypto";
import { UserError } from "../user-error.ts";
import type { HistoryTable } from "./history.ts";
import { lockHeldSql, lockKey } from "./lock.ts";
import { callDirection } from "./module.ts";
import { retryingLocks } from "./retry.ts";
import { type Prefix, runScript } from "./run-script.ts";
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
  readonly section: string;
  readonly origin: Origin;
  /** The statements that keep the history in step with what ran. */
  readonly record: (milliseconds: number) => string;
}

/** Goes ahead of the script in the same message: a round trip for each would cost more than most migrations. */
function beginning(run: Run, script: Script, marker: string): Prefix {
  const { lockTimeout = run.settings.lockTimeout, statementTimeout = run.settings.statementTimeout } =
    script.options;
  const statements = [
    "BEGIN",
    `SET LOCAL lock_timeout = ${lockTimeout}`,
    `SET LOCAL statement_timeout = ${statementTimeout}`,
    `SET LOCAL pgstack.migration = '${marker}'`,
  ];
  return { sql: `${statements.join("; ")};\n`, statements: statements.length };
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

async function finish(run: Run, job: Job, marker: string, milliseconds: number): Promise<void> {
  const { client, resetSql } = run.session;
  const parts = [
    "SET statement_timeout = 0",
    guardSql(run, marker),
    resetSql,
    job.record(milliseconds),
    "COMMIT",
  ];
  await client.query(parts.join("; ")).catch((error: Error) => {
    const broken = Object.entries(brokenGuards).find(([sign]) => error.message.includes(sign));
    throw broken === undefined ? error : new UserError(broken[1], { cause: error });
  });
}

async function perform(run: Run, job: Job, script: Script, prefix: Prefix): Promise<void> {
  const { client } = run.session;
  if (job.language === "sql") return runScript(client, script, prefix);
  await client.query(prefix.sql);
  const sql = await callDirection(job.section, job.direction, client);
  if (sql !== undefined) await runScript(client, readScript(sql, job.origin));
}

async function attempt(run: Run, job: Job, script: Script): Promise<void> {
  const { client, resetSql } = run.session;
  const marker = randomUUID();
  const started = performance.now();
  try {
    await perform(run, job, script, beginning(run, script, marker));
    await finish(run, job, marker, performance.now() - started);
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    await client.query(resetSql).catch(() => {});
    throw error;
  }
}

/** Runs one direction of a migration and its record in one transaction: both are there afterwards, or neither. */
export async function runInTransaction(run: Run, job: Job): Promise<void> {
  const script = scriptOf(job);
  const lockTimeout = script.options.lockTimeout ?? run.settings.lockTimeout;
  await retryingLocks(run.session, lockTimeout, run.log, () => attempt(run, job, script));
}

/** The script of a job; a module's is empty, since only running it shows its SQL. */
export function scriptOf(job: Job): Script {
  return readScript(job.language === "sql" ? job.section : "", job.origin);
}

import { randomUUID } from "node:crypto";
import type pg from "pg";
import { UserError } from "../user-error.ts";
import type { HistoryTable } from "./history.ts";
import { lockHeldSql, lockKey } from "./lock.ts";
import { callDirection } from "./module.ts";
import { retryingLocks } from "./retry.ts";
import { runScript } from "./run-script.ts";
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

function beginSql(run: Run, script: Script, marker: string): string {
  const { lockTimeout = run.settings.lockTimeout, statementTimeout = run.settings.statementTimeout } =
    script.options;
  return `BEGIN; SET LOCAL lock_timeout = ${lockTimeout};
    SET LOCAL statement_timeout = ${statementTimeout};
    SET LOCAL pgstack.migration = '${marker}'`;
}

/** pg answers several statements with several results, whatever its types say. */
function lastOf<T extends pg.QueryResultRow>(answers: pg.QueryResult<T>): pg.QueryResult<T> {
  return ([answers].flat() as pg.QueryResult<T>[]).at(-1) as pg.QueryResult<T>;
}

/** The transaction is still the one that we began, and the lock still ours; else nothing may be recorded. */
async function checkTransaction(run: Run, marker: string): Promise<void> {
  const answers = await run.session.client.query<{ same: boolean; locked: boolean }>(
    `SET statement_timeout = 0;
     SELECT pg_catalog.current_setting('pgstack.migration', true) OPERATOR(pg_catalog.=) '${marker}' AS same,
            ${lockHeldSql(lockKey(run.table))} AS locked`,
  );
  const { same = false, locked = false } = lastOf(answers).rows[0] ?? {};
  if (!same)
    throw new UserError(
      "The script ended the transaction that it ran in (COMMIT or ROLLBACK); what it committed is kept and is not recorded. " +
        "Take that statement out, or use transaction=off.",
    );
  if (!locked)
    throw new UserError(
      "The session no longer holds the lock of the migrations. Either the script gave it up (pg_advisory_unlock_all, DISCARD ALL), " +
        "or a transaction pooler stands between here and the server: connect to the server itself.",
    );
}

async function perform(run: Run, job: Job, script: Script): Promise<void> {
  if (job.language === "sql") return runScript(run.session.client, script);
  const sql = await callDirection(job.section, job.direction, run.session.client);
  if (sql !== undefined) await runScript(run.session.client, readScript(sql, job.origin));
}

async function attempt(run: Run, job: Job, script: Script): Promise<void> {
  const { client, resetSql } = run.session;
  const marker = randomUUID();
  const started = performance.now();
  try {
    await client.query(beginSql(run, script, marker));
    await perform(run, job, script);
    await checkTransaction(run, marker);
    await client.query(`${resetSql}; ${job.record(performance.now() - started)}`);
    await client.query("COMMIT");
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

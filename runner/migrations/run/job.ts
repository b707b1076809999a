import { type Origin, readScript, type Script } from "../files/script.ts";
import type { Began, HistoryTable } from "../history/history.ts";
import { lockHeldSql, lockKey } from "../history/lock.ts";
import type { MigrationSettings } from "../settings.ts";
import type { Session } from "./session.ts";

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

/**
 * Fails, and with it all that follows in its message, unless the transaction is still the one that we began and the lock
 * still ours. SQL raises no error of one's own without a function, so a number that is none has to do.
 */
export function guardSql(run: Run, marker: string): string {
  return `SELECT pg_catalog.int4in(CASE
      WHEN pg_catalog.current_setting('pgstack.migration', true) OPERATOR(pg_catalog.=) '${marker}' IS NOT TRUE THEN 'pgstack: transaction'
      WHEN NOT ${lockHeldSql(lockKey(run.table))} THEN 'pgstack: lock' ELSE '0' END::pg_catalog.cstring)`;
}

import pg from "pg";
import type { MigrationError } from "umzug";
import { explainSessionEnd } from "../../postgres/session/end.ts";
import { RefusedError, UserError } from "../../util/errors.ts";
import type { Job, Run } from "./job.ts";
import { StrayError } from "./module.ts";
import { type FailurePlace, StatementError } from "./script.ts";

/** What helps with errors that migrations meet and whose own hint says too little. */
const hints: Record<string, string> = {
  "55P04": "put ADD VALUE into a migration of its own, before this one, or mark this one transaction=off",
  "25001": "mark the script with the option transaction=off: -- migrate: up transaction=off",
  "55006":
    "put SET CONSTRAINTS ALL IMMEDIATE; before this statement, which checks deferred constraints there, or give it a migration of its own",
  "55P03": "raise lock_timeout, or run again when the other session is done",
};

function fieldsOf(error: Error): string[] {
  if (!(error instanceof pg.DatabaseError)) return [];
  const { detail, hint, where, code = "" } = error;
  return [
    detail === undefined ? "" : `Detail: ${detail}`,
    hint === undefined ? "" : `Hint: ${hint}`,
    hints[code] === undefined ? "" : `Way out: ${hints[code]}`,
    where === undefined ? "" : `Context: ${where}`,
  ].filter((line) => line !== "");
}

function headline(error: Error): string {
  if (!(error instanceof pg.DatabaseError)) return error.message;
  return `${error.severity ?? "ERROR"} ${error.code}: ${error.message}`;
}

interface FailedMigration {
  readonly name: string;
  readonly direction: "up" | "down";
}

/** A migration that failed: what, where, PostgreSQL's words, and what is applied now. */
export class MigrationFailure extends UserError {
  constructor({ name, direction }: FailedMigration, place: FailurePlace, error: Error, after: string) {
    const { where, statement, sql } = place;
    const lines = [
      `Migration ${name} (${direction}) failed at ${where}${statement === undefined ? "" : `, ${statement}`}:`,
      ...(sql === undefined ? [] : [`  ${sql}`]),
      headline(error),
      ...fieldsOf(error),
      after,
    ];
    super(lines.filter((line) => line !== "").join("\n"), { cause: error });
    this.name = "MigrationFailure";
  }
}

/**
 * The failure that Umzug reports, as a person should read it; a refusal as it is.
 * @param job what failed
 * @param after what is applied now, in a sentence
 */
export function explainFailure(
  { cause, migration }: MigrationError,
  run: Run,
  job: Job | undefined,
  after: string,
): Error {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  if (error instanceof RefusedError || error instanceof StrayError || job === undefined) return error;
  const failed = error instanceof StatementError ? error : undefined;
  const reason = explainSessionEnd(run.session.client, "the database", failed?.cause ?? error) as Error;
  const stays = job.script.options.transaction ? "" : "Its statements before that one are done, and stay. ";
  return new MigrationFailure(migration, failed?.place ?? { where: job.origin.label }, reason, stays + after);
}

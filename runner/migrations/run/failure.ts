import pg from "pg";
import { UserError } from "../../util/errors.ts";

/** Where in a migration something failed. */
export interface FailurePlace {
  readonly name: string;
  readonly direction: "up" | "down";
  /** `migrations/x.sql:14`, or a line of a stored script. */
  readonly where: string;
  /** `statement 3 of 7`. */
  readonly statement?: string | undefined;
  /** The statement itself, or its beginning. */
  readonly sql?: string | undefined;
}

/** What helps with errors that migrations meet and whose own hint says too little. */
const hints: Record<string, string> = {
  "55P04": "put ADD VALUE into a migration of its own, before this one, or mark this one transaction=off",
  "25001": "mark the script with the option transaction=off: -- migrate: up transaction=off",
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

/** A migration that failed: what, where, PostgreSQL's words, and (added by the run) what is applied now. */
export class MigrationFailure extends UserError {
  constructor(place: FailurePlace, error: Error, after: string) {
    const { name, direction, where, statement, sql } = place;
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

/** The first line or so of a statement, for a message. */
export function shorten(sql: string, length = 240): string {
  const line = sql.replace(/\s+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length)}…` : line;
}

import pg from "pg";
import { type Script, type Segment, segmentsOf } from "../files/script.ts";
import { type ScriptResult, sendScript } from "./script-query.ts";

/** Where in a migration something failed. */
export interface FailurePlace {
  /** `migrations/x.sql:14`, or a line of a stored script. */
  readonly where: string;
  /** `statement 3 of 7`. */
  readonly statement?: string | undefined;
  /** The statement itself, or its beginning. */
  readonly sql?: string | undefined;
}

/** A statement of a script that PostgreSQL refused. */
export class StatementError extends Error {
  readonly place: FailurePlace;
  override readonly cause: Error;

  constructor(place: FailurePlace, cause: Error) {
    super(cause.message);
    this.name = "StatementError";
    this.place = place;
    this.cause = cause;
  }
}

/** PostgreSQL counts characters from 1, a JavaScript string UTF-16 units from 0. */
function offsetOf(text: string, position: number): number {
  let at = 0;
  for (let count = 1; count < position; count++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

/** Statements that go with a script: ahead of it in its first message (ASCII only), and behind it in its last. */
export interface Frame {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** What PostgreSQL says of the place, counted from the beginning of the segment. */
export interface FailedAt {
  /** Statements of the segment that were done. */
  readonly completed: number;
  /** Characters that went ahead of the segment in its message. */
  readonly ahead: number;
}

/** Names the statement that failed: by PostgreSQL's position, or by how many were done before it. */
export function placeFailure(
  script: Script,
  segment: Segment,
  { completed, ahead }: FailedAt,
  error: Error,
): StatementError {
  const position = error instanceof pg.DatabaseError ? Number(error.position ?? 0) - ahead : 0;
  const at =
    position > 0
      ? Math.min(
          segment.start + offsetOf(script.text.slice(segment.start, segment.end), position),
          segment.end,
        )
      : -1;
  const counted = segment.statements[Math.min(Math.max(completed, 0), segment.statements.length - 1)];
  const failed = at < 0 ? counted : (segment.statements.findLast(({ start }) => start <= at) ?? counted);
  if (failed === undefined) return new StatementError({ where: script.placeOf(0) }, error);
  const number = script.statements.indexOf(failed) + 1;
  const place = {
    where: script.placeOf(Math.max(at, failed.start)),
    statement: `statement ${number} of ${script.statements.length}`,
    sql: shorten(script.text.slice(failed.start, failed.end)),
  };
  return new StatementError(place, error);
}

const aheadOf = (before: readonly string[]) => before.map((statement) => `${statement};\n`).join("");

/** A segment and its frame as one message. */
function messageOf(script: Script, segment: Segment, frame: Frame): string {
  return [aheadOf(frame.before) + script.text.slice(segment.start, segment.end), ...frame.after].join(";\n");
}

/** Throws StatementError where a message failed by the script's own fault, and PostgreSQL's error where the frame failed. */
function checkResult(
  script: Script,
  segment: Segment,
  before: readonly string[],
  { completed, error }: ScriptResult,
): void {
  if (error === undefined) return;
  const done = completed - before.length;
  if (done >= segment.statements.length) throw error;
  throw placeFailure(script, segment, { completed: done, ahead: aheadOf(before).length }, error);
}

/**
 * Runs a script's statements, in the caller's transaction or in the one that `frame` begins. Resolves to the last row that
 * came back. Throws as `checkResult`.
 */
export async function runScript(
  client: pg.Client,
  script: Script,
  frame?: Frame,
): Promise<ScriptResult["lastRow"]> {
  const segments = segmentsOf(script);
  let lastRow: ScriptResult["lastRow"] = [];
  for (const [index, segment] of segments.entries()) {
    const part: Frame = {
      before: index === 0 ? (frame?.before ?? []) : [],
      after: index === segments.length - 1 ? (frame?.after ?? []) : [],
    };
    const result = await sendScript(client, messageOf(script, segment, part), segment.copyData);
    checkResult(script, segment, part.before, result);
    lastRow = result.lastRow;
  }
  return lastRow;
}

/** The first line or so of a statement, for a message. */
function shorten(sql: string, length = 240): string {
  const line = sql.replace(/\s+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length)}…` : line;
}

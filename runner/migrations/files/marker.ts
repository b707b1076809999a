import { InvalidScriptError, type ScannedComment } from "../../postgres/sql-lexer.ts";
import { parseDuration } from "../../util/duration.ts";
import type { SectionOptions } from "./types.ts";

/** A line `-- migrate: up …` or `-- migrate: down …`. */
export interface Marker {
  readonly direction: "up" | "down";
  readonly start: number;
  readonly end: number;
  readonly options: SectionOptions;
  readonly irreversible: boolean;
}

const form = /^--[ \t]*migrate[ \t]*:[ \t]*(.*?)[ \t]*$/i;
const known = "transaction=off, lock_timeout=2s, statement_timeout=5min, and irreversible after down";

type Mutable = { -readonly [key in keyof SectionOptions]: SectionOptions[key] } & { irreversible: boolean };

function readOption(option: string, direction: string, into: Mutable, at: number): void {
  const [key, value = ""] = option.split("=", 2);
  const duration = parseDuration(value);
  if (option === "transaction=off") into.transaction = false;
  else if (option === "transaction=on") into.transaction = true;
  else if (key === "lock_timeout" && duration !== undefined) into.lockTimeout = duration;
  else if (key === "statement_timeout" && duration !== undefined) into.statementTimeout = duration;
  else if (option === "irreversible" && direction === "down") into.irreversible = true;
  else throw new InvalidScriptError(`unknown option "${option}"; the options are ${known}`, at);
}

/** The marker that a comment is, or undefined for any other comment. Throws InvalidScriptError for a wrong one. */
export function readMarker(text: string, comment: ScannedComment): Marker | undefined {
  const { start, end } = comment;
  const found = text.slice(start, end).match(form);
  if (found === null) return undefined;
  if (text.slice(text.lastIndexOf("\n", start - 1) + 1, start).trim() !== "")
    throw new InvalidScriptError("a marker stands on a line of its own", start);
  const [direction = "", ...options] = (found[1] ?? "").split(/[ \t]+/);
  if (direction !== "up" && direction !== "down")
    throw new InvalidScriptError(
      `expected "-- migrate: up" or "-- migrate: down", found "${direction}"`,
      start,
    );
  const read: Mutable = { transaction: true, irreversible: false };
  for (const option of options) readOption(option, direction, read, start);
  const { irreversible, ...rest } = read;
  return { direction, start, end, options: rest, irreversible };
}

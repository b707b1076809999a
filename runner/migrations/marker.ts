import type { SectionOptions } from "./migration.ts";
import type { ScannedComment } from "./scan.ts";
import { InvalidScriptError } from "./script-fault.ts";

/** A line `-- migrate: up …` or `-- migrate: down …`. */
export interface Marker {
  readonly direction: "up" | "down";
  readonly start: number;
  readonly end: number;
  readonly options: SectionOptions;
  readonly irreversible: boolean;
}

const form = /^--[ \t]*migrate[ \t]*:[ \t]*(.*?)[ \t]*$/i;
const duration = /^(\d+)(ms|s|min|h|d)?$/;
const units: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const known = "transaction=off, lock_timeout=2s, statement_timeout=5min, and irreversible after down";

type Mutable = { -readonly [key in keyof SectionOptions]: SectionOptions[key] } & { irreversible: boolean };

/** A duration as PostgreSQL writes it; a bare number is milliseconds. */
function milliseconds(value: string): number {
  const [, count = "0", unit = "ms"] = value.match(duration) ?? [];
  return Number(count) * (units[unit] ?? 1);
}

function readOption(option: string, direction: string, into: Mutable, at: number): void {
  const [key, value = ""] = option.split("=", 2);
  if (option === "transaction=off") into.transaction = false;
  else if (option === "transaction=on") into.transaction = true;
  else if (key === "lock_timeout" && duration.test(value)) into.lockTimeout = milliseconds(value);
  else if (key === "statement_timeout" && duration.test(value)) into.statementTimeout = milliseconds(value);
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

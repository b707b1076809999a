import { RefusedError } from "../user-error.ts";

const form = /^(\d+)\s*(ms|s|min|h|d)?$/;
const units: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a duration as PostgreSQL writes it ("2s"; a bare number is milliseconds), or undefined. */
export function parseDuration(text: string): number | undefined {
  const found = text.match(form);
  return found === null ? undefined : Number(found[1]) * (units[found[2] ?? "ms"] ?? 1);
}

/** As `parseDuration`. Throws RefusedError for anything else. */
export function durationOf(text: string): number {
  const parsed = parseDuration(text);
  if (parsed === undefined)
    throw new RefusedError(`Expected a duration such as 500ms, 5s or 2min, found "${text}".`);
  return parsed;
}

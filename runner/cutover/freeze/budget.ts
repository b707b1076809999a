import { UserError } from "../../util/errors.ts";
import type { CutoverSettings } from "../settings.ts";
import type { SourceState } from "../state/state.ts";

/** What the budget of a freeze is made from. */
type Budget = Pick<CutoverSettings, "maxFreeze">;

/** Milliseconds that are left of what has gone on since a time; Infinity where there is no limit. */
export function timeLeft({ maxFreeze }: Budget, since: number): number {
  return maxFreeze === 0 ? Number.POSITIVE_INFINITY : since + maxFreeze - Date.now();
}

/** Milliseconds that are left of a freeze. */
export function freezeLeft(budget: Budget, { frozenAt }: Pick<SourceState, "frozenAt">): number {
  return timeLeft(budget, Date.parse(frozenAt));
}

/** A budget as a person reads it. */
export const describeBudget = ({ maxFreeze }: Budget) => `cutover.maxFreeze = ${maxFreeze / 1000} s`;

/** Why a freeze has ended, and how to get past it. */
export function expiryReason(settings: Budget & Pick<CutoverSettings, "method">): string {
  const way = settings.method === "copy" ? "raise it, or use method: replicate" : "raise it";
  return (
    `The freeze took longer than ${describeBudget(settings)} allows, so that the source is writable again. ` +
    `The rehearsal says how long a switch takes: ${way}.`
  );
}

/** What a stage fails with once the freeze has taken too long. */
export class ExpiredFreeze extends UserError {
  constructor(settings: Budget & Pick<CutoverSettings, "method">, cause?: unknown) {
    const found = cause === undefined ? "" : ` What was cut off: ${(cause as Error).message}`;
    super(`${expiryReason(settings)}${found}`, { cause });
  }
}

import type pg from "pg";
import { freezeInForce } from "../freeze/freeze.ts";
import { withAdmin } from "../freeze/sessions.ts";
import { endComparison } from "../replication/slots.ts";
import type { Cutover } from "../settings.ts";
import { holdCutoverLock, readState, type SourceState, type TargetState } from "../state/state.ts";

/** A stage of the switch, on both sides. */
export interface Sides {
  readonly source: pg.Client;
  readonly target: pg.Client;
  /** The freeze in force. */
  readonly frozen: SourceState;
}

/**
 * Lends the target under lock: one run at a time changes it. Once clients have been sent to it no stage touches either
 * side again, and `active` answers from what it remembers.
 */
export async function withTarget<T>(
  cutover: Cutover,
  active: (state: TargetState) => T | Promise<T>,
  use: (target: pg.Client) => Promise<T>,
): Promise<T> {
  return withAdmin(cutover.target, async (target) => {
    await holdCutoverLock(target, cutover.log);
    const state = await readState(target, "target");
    return state?.phase === "active" ? active(state) : use(target);
  });
}

/** Lends both sides once the source is frozen; the freeze ends every session that was there before. */
export async function withFrozen<T>(
  target: pg.Client,
  cutover: Cutover,
  use: (sides: Sides) => Promise<T>,
): Promise<T> {
  const attempt = () =>
    withAdmin(cutover.source, async (source) => {
      const frozen = await freezeInForce(source, cutover.stack);
      return frozen && { result: await use({ source, target, frozen }) };
    });
  const done = await attempt();
  if (done !== undefined) return done.result;
  const { freezeSource } = await import("./freeze-source.ts");
  await orThaw(cutover, () => freezeSource(target, cutover));
  const { result } = (await attempt()) as { result: T };
  return result;
}

/** Does what, if it fails, gives the source back to its clients at once. */
export async function orThaw<T>(cutover: Cutover, stage: () => Promise<T>): Promise<T> {
  try {
    return await stage();
  } catch (error) {
    const { rollBackAfterFailure } = await import("./rollback.ts");
    await rollBackAfterFailure(cutover);
    if (cutover.method === "replicate") await endComparison(cutover).catch(() => {}); // the next run does it
    throw error;
  }
}

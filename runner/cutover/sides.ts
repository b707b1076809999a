import type pg from "pg";
import { ensureAhead } from "./ahead.ts";
import type { AheadReport } from "./compare-ahead.ts";
import { freeze, freezeInForce } from "./freeze.ts";
import { giveBackAfterFailure } from "./give-back.ts";
import { holdClients } from "./pgbouncer/clients.ts";
import { endComparison } from "./replicate.ts";
import type { Cutover } from "./request.ts";
import { withAdmin } from "./session.ts";
import { holdCutoverLock, readState, type SourceState, type TargetState } from "./state.ts";

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

/** What can be done before the freeze: with replication, all but what is written meanwhile. */
export async function prepare(target: pg.Client, cutover: Cutover): Promise<AheadReport | null> {
  if (cutover.method === "copy") return null;
  const { source, stack } = cutover;
  const frozen = await withAdmin(source, (client) => freezeInForce(client, stack));
  if (frozen === undefined) return ensureAhead(target, cutover);
  return (await readState(target, "target"))?.ahead ?? null;
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
  await prepare(target, cutover);
  await holdClients(cutover);
  await freeze(cutover.source, cutover.stack);
  const { result } = (await attempt()) as { result: T };
  return result;
}

/** Does what, if it fails, gives the source back to its clients at once. */
export async function orThaw<T>(cutover: Cutover, stage: () => Promise<T>): Promise<T> {
  try {
    return await stage();
  } catch (error) {
    await giveBackAfterFailure(cutover);
    if (cutover.method === "replicate") await endComparison(cutover).catch(() => {}); // the next run does it
    throw error;
  }
}

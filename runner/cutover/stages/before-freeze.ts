import type { VerifyReport } from "../compare/verify.ts";
import { type Clients, pauseClients } from "../pgbouncer/clients.ts";
import type { Cutover } from "../settings.ts";
import type { CutoverRecord } from "../state/record.ts";
import { type PreFreezeReport, reportOf } from "../state/state.ts";
import { orThaw, withTarget } from "./context.ts";
import { freezeSource, prepare } from "./freeze-source.ts";

/** Makes the clients behind PgBouncer wait, before the source is frozen. */
export async function reachPause(cutover: Cutover): Promise<Clients> {
  const none = { databases: [] };
  return withTarget(
    cutover,
    () => none,
    () => pauseClients(cutover),
  );
}

/**
 * Makes the target follow the source and compares both, while the source is in use: see ahead.ts. Under a freeze in
 * force it does nothing.
 */
export async function reachPrepare(cutover: Cutover): Promise<PreFreezeReport | null> {
  return withTarget(
    cutover,
    (state) => reportOf<VerifyReport>(state, "verify").ahead ?? null,
    (target) => orThaw(cutover, () => prepare(target, cutover)),
  );
}

/** Makes the source read-only, once: see freeze.ts. */
export async function reachFreeze(cutover: Cutover): Promise<CutoverRecord["freeze"]> {
  return withTarget(
    cutover,
    (state) => reportOf<CutoverRecord>(state, "record").freeze,
    (target) => orThaw(cutover, () => freezeSource(target, cutover)),
  );
}

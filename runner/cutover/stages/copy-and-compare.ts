import { withTwoPairs } from "../compare/row-checksums.ts";
import { differencesError, type VerifyReport, verifyDatabases } from "../compare/verify.ts";
import { loadTarget } from "../copy/load-target.ts";
import { copySequences } from "../copy/sequences.ts";
import { stopReplication } from "../replication/compare-before-freeze.ts";
import { compareChangedRows } from "../replication/compare-frozen.ts";
import { catchUp } from "../replication/heartbeat.ts";
import { endReplication } from "../replication/slots.ts";
import type { Cutover } from "../settings.ts";
import { identityOf, readState, type TargetState, updateTarget } from "../state/state.ts";
import type { Sides } from "./context.ts";

/** Brings the target to what the frozen source holds: by its last changes where it follows, by a copy otherwise. */
export async function copyFrozen(
  { source, target, frozen }: Sides,
  cutover: Cutover,
  state: TargetState | undefined,
): Promise<TargetState> {
  if (state?.replicating === true && state.phase === "filled") {
    await catchUp(source, target);
    return updateTarget(target, { epoch: frozen.epoch });
  }
  if (cutover.method === "replicate") await endReplication(cutover); // it would write into the copy
  await loadTarget(target, cutover, await identityOf(source), { epoch: frozen.epoch });
  return (await readState(target, "target")) as TargetState;
}

/**
 * Compares a target that followed in what was written since it was compared ahead, any other whole. Throws UserError
 * that names each difference.
 */
export async function compareFrozen(
  { source, target }: Sides,
  cutover: Cutover,
  { ahead }: TargetState,
): Promise<VerifyReport> {
  await copySequences(source, target);
  const { verify } =
    ahead === undefined
      ? { verify: await verifyDatabases(cutover) }
      : await withTwoPairs(cutover, (pairs) => compareChangedRows(pairs, cutover, ahead));
  if (verify.differences.length === 0) return verify;
  if (cutover.method === "replicate") await stopReplication(target, cutover);
  throw differencesError(verify.differences);
}

import type pg from "pg";
import { RefusedError } from "../../util/errors.ts";
import { loadTarget } from "../copy/load-target.ts";
import { findPreflightIssues, type PreflightIssues } from "../preflight.ts";
import type { Cutover } from "../settings.ts";
import { identityOf, readState, updateTarget } from "../state/state.ts";
import { endReplication, isReplicating, subscribe, withReplicationSlot } from "./slots.ts";

/** A slot that nobody reads makes the source keep its log for ever: work that fails leaves none. */
export async function orEndReplication<T>(cutover: Cutover, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await endReplication(cutover).catch((reason) => cutover.log(`warning: ${(reason as Error).message}`));
    throw error;
  }
}

/** A change that cannot be sent would stop the source's clients (an UPDATE without replica identity fails). */
export function refuseToReplicate({ blocking }: PreflightIssues): void {
  if (blocking.length > 0) throw new RefusedError(`Replication cannot start:\n  ${blocking.join("\n  ")}`);
}

/** From here on the target follows the source, until a switch or another rehearsal. */
export async function follow(target: pg.Client, cutover: Cutover): Promise<void> {
  await subscribe(target, cutover);
  await updateTarget(target, { replicating: true });
}

/** Whether the target follows the source since an earlier copy. */
export async function isFollowing(source: pg.Client, target: pg.Client, cutover: Cutover): Promise<boolean> {
  const state = await readState(target, "target");
  if (state?.replicating !== true || state.phase !== "filled") return false;
  return isReplicating(source, target, cutover);
}

/** Copies the source while it is in use, and makes the target follow it from there. */
export async function startFollowing(source: pg.Client, target: pg.Client, cutover: Cutover): Promise<void> {
  refuseToReplicate(await findPreflightIssues(source, target, cutover));
  await endReplication(cutover);
  cutover.log("copying the source, which stays in use");
  const identity = await identityOf(source);
  await orEndReplication(cutover, async () => {
    await withReplicationSlot(cutover, (snapshot) =>
      loadTarget(target, cutover, identity, { epoch: null, snapshot }),
    );
    await follow(target, cutover);
  });
}

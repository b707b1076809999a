import { RefusedError } from "../../util/errors.ts";
import { identityOf } from "../connections.ts";
import { loadTarget } from "../copy/load-target.ts";
import { findPreflightIssues, type PreflightIssues } from "../preflight.ts";
import type { CutoverSession } from "../session.ts";
import { endReplication, isReplicating, subscribe, withReplicationSlot } from "./slots.ts";

/** A slot that nobody reads makes the source keep its log for ever: work that fails leaves none. */
export async function orEndReplication<T>(session: CutoverSession, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await endReplication(session).catch((reason) => session.log(`warning: ${(reason as Error).message}`));
    throw error;
  }
}

/** A change that cannot be sent would stop the source's clients (an UPDATE without replica identity fails). */
export function refuseToReplicate({ blocking }: PreflightIssues): void {
  if (blocking.length > 0) throw new RefusedError(`Replication cannot start:\n  ${blocking.join("\n  ")}`);
}

/** From here on the target follows the source, until a switch or another rehearsal. */
export async function startReplication(session: CutoverSession): Promise<void> {
  await subscribe(session.target, session.settings);
  await session.changeState({ replicating: true });
}

/** Ends replication into a target that differs: the next run copies the source again. */
export async function stopReplication(session: CutoverSession): Promise<void> {
  await endReplication(session);
  await session.changeState({ replicating: false });
}

/** Whether the target follows the source since an earlier copy. */
export async function isFollowing({ source, target, settings, state }: CutoverSession): Promise<boolean> {
  if (state?.replicating !== true || state.phase !== "filled") return false;
  return isReplicating(source, target, settings);
}

/** Copies the source while it is in use, and makes the target follow it from there. */
export async function copyAndFollow(session: CutoverSession): Promise<void> {
  const { source, target, settings } = session;
  refuseToReplicate(await findPreflightIssues(source, target, settings));
  await endReplication(session);
  session.log("copying the source, which stays in use");
  const identity = await identityOf(source);
  await orEndReplication(session, async () => {
    await withReplicationSlot(settings, (snapshot) =>
      loadTarget(session, identity, { epoch: null, snapshot }),
    );
    await startReplication(session);
  });
}

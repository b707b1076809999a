import { withTwoPairs } from "../compare/row-checksums.ts";
import { differencesError, type VerifyReport, verifyDatabases } from "../compare/verify.ts";
import { identityOf } from "../connections.ts";
import { loadTarget } from "../copy/load-target.ts";
import { copySequences } from "../copy/sequences.ts";
import { compareChangedRows } from "../replication/compare-frozen.ts";
import { stopReplication } from "../replication/follow.ts";
import { catchUp } from "../replication/heartbeat.ts";
import { endReplication } from "../replication/slots.ts";
import type { CutoverSession } from "../session.ts";
import type { SourceState, TargetState } from "../state/state.ts";

/** Brings the target to what the frozen source holds: by its last changes where it follows, by a copy otherwise. */
export async function copyFrozen(session: CutoverSession, { epoch }: SourceState): Promise<TargetState> {
  const { source, target, state, settings } = session;
  if (state?.replicating === true && state.phase === "filled") {
    await catchUp(source, target);
    return session.changeState({ epoch, attempt: settings.attempt });
  }
  if (settings.method === "replicate") await endReplication(session); // it would write into the copy
  await loadTarget(session, await identityOf(source), { epoch });
  return session.filledState();
}

/**
 * Compares a target that followed in what was written since the pre-freeze comparison, any other whole. Throws UserError
 * that names each difference.
 */
export async function compareFrozen(session: CutoverSession, { ahead }: TargetState): Promise<VerifyReport> {
  const { source, target, settings, limited } = session;
  await copySequences(source, target);
  const { verify } =
    ahead === undefined
      ? { verify: await verifyDatabases(limited) }
      : await withTwoPairs(limited, (pairs) => compareChangedRows(pairs, settings, ahead));
  if (verify.differences.length === 0) return verify;
  if (settings.method === "replicate") await stopReplication(session);
  throw differencesError(verify.differences);
}

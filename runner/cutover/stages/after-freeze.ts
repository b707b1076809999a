import { withTransaction } from "../../postgres/connection.ts";
import { isUnchangedSince } from "../compare/target-unchanged.ts";
import type { VerifyReport } from "../compare/verify.ts";
import type { CopyReport } from "../copy/copy.ts";
import { advanceSequences } from "../copy/sequences.ts";
import { withAdmin } from "../freeze/sessions.ts";
import { endReplication, openTarget } from "../replication/slots.ts";
import type { Cutover } from "../settings.ts";
import { type CutoverRecord, describeRecord, writeRecord } from "../state/record.ts";
import {
  identityOf,
  readState,
  reportOf,
  type TargetState,
  updateTarget,
  writeState,
} from "../state/state.ts";
import { orThaw, type Sides, withFrozen, withTarget } from "./context.ts";

/** Writes wait for these stages' processes to start: what they need only where work is left is loaded then. */
const work = () => import("./copy-and-compare.ts");

/** The copy is final when it was made under the freeze that is still in force. */
async function ensureCopied(sides: Sides, cutover: Cutover): Promise<TargetState> {
  const state = await readState(sides.target, "target");
  if (state?.epoch === sides.frozen.epoch && state.phase !== "filling") return state;
  return (await work()).copyFrozen(sides, cutover, state);
}

/** What the run that froze the source found, as long as nothing has been written to the target since. */
async function foundByFreeze({ target }: Sides, state: TargetState): Promise<VerifyReport | undefined> {
  const { compared, epoch } = state;
  if (compared === undefined || compared.epoch !== epoch) return undefined;
  return (await isUnchangedSince(target, compared.moment))
    ? reportOf<VerifyReport>(state, "verify")
    : undefined;
}

/** Compares both sides, once, and lets the stack write to the target. Throws UserError that names each difference. */
async function ensureVerified(sides: Sides, cutover: Cutover): Promise<TargetState> {
  const state = await ensureCopied(sides, cutover);
  if (state.phase === "verified") return state;
  const verify =
    (await foundByFreeze(sides, state)) ?? (await (await work()).compareFrozen(sides, cutover, state));
  const { target } = sides;
  return withTransaction(target, async () => {
    await openTarget(target);
    return updateTarget(target, { phase: "verified", report: { verify } });
  });
}

/** Freezes where that is still to be done, and copies the source for good. */
export async function reachCopy(cutover: Cutover): Promise<CopyReport> {
  const copyOf = (state: TargetState) => reportOf<CopyReport>(state, "copy");
  return withTarget(cutover, copyOf, (target) =>
    orThaw(cutover, () =>
      withFrozen(target, cutover, async (sides) => copyOf(await ensureCopied(sides, cutover))),
    ),
  );
}

/** A comparison, and the copy that it found to be good. */
type Verified = VerifyReport & { readonly copyId: string };

function verifiedOf(state: TargetState): Verified {
  return { ...reportOf<VerifyReport>(state, "verify"), copyId: reportOf<CopyReport>(state, "copy").id };
}

/**
 * Freezes and copies where that is still to be done, and compares both sides. Throws UserError that names each
 * difference.
 */
export async function reachVerify(cutover: Cutover): Promise<Verified> {
  return withTarget(cutover, verifiedOf, (target) =>
    orThaw(cutover, () =>
      withFrozen(target, cutover, async (sides) => verifiedOf(await ensureVerified(sides, cutover))),
    ),
  );
}

/** The target's mark is the point of no return: from there on nothing thaws the source by itself. */
async function complete(sides: Sides, cutover: Cutover): Promise<CutoverRecord> {
  const state = await orThaw(cutover, () => ensureVerified(sides, cutover));
  await advanceSequences(sides.source, sides.target); // a number taken after the freeze stores no row
  const movedTo = await identityOf(sides.target);
  await writeState(sides.source, "source", { ...sides.frozen, movedTo });
  const record = await describeRecord(sides, cutover, state);
  const { attempt = "" } = cutover;
  await updateTarget(sides.target, { phase: "active", attempt, report: { record } });
  return record;
}

/** The clients that wait go on before anything is tidied up: no write is left that could still be replicated. */
async function redirectWaitingClients(cutover: Cutover): Promise<void> {
  if (cutover.pgbouncer !== undefined) await (await import("./resume.ts")).reachResume(cutover);
}

/** What replicated into the target goes once clients write to it. */
async function endOfReplication(cutover: Cutover): Promise<void> {
  if (cutover.method !== "replicate") return;
  await endReplication(cutover);
  await withAdmin(cutover.target, (target) => updateTarget(target, { replicating: false }));
}

/** Does what is still to be done, and hands the clients to the target. */
export async function reachComplete(cutover: Cutover): Promise<CutoverRecord> {
  const recordOf = (state: TargetState) => reportOf<CutoverRecord>(state, "record");
  const record = await withTarget(cutover, recordOf, (target) =>
    withFrozen(target, cutover, (sides) => complete(sides, cutover)),
  );
  writeRecord(cutover.record, record);
  await redirectWaitingClients(cutover);
  await endOfReplication(cutover);
  return record;
}

import { withTransaction } from "../connection.ts";
import { RefusedError } from "../user-error.ts";
import { forsake } from "./ahead.ts";
import type { AheadReport } from "./compare-ahead.ts";
import { compareTouched } from "./compare-touched.ts";
import { type CopyReport, copySequences } from "./copy.ts";
import { fillTarget, updateTarget } from "./fill.ts";
import { freeze } from "./freeze.ts";
import { catchUp } from "./heartbeat.ts";
import { type Clients, holdClients, sendClients } from "./pgbouncer/clients.ts";
import { type CutoverRecord, describeRecord, writeRecord } from "./record.ts";
import { endReplication, openTarget } from "./replicate.ts";
import type { Cutover } from "./request.ts";
import { withAdmin } from "./session.ts";
import { orThaw, prepare, type Sides, withFrozen, withTarget } from "./sides.ts";
import { holdCutoverLock, identityOf, readState, reportOf, type TargetState, writeState } from "./state.ts";
import { differencesError, type VerifyReport, verifyDatabases } from "./verify.ts";

/** Makes the clients behind PgBouncer wait, before the source is frozen. */
export async function reachPause(cutover: Cutover): Promise<Clients> {
  const none = { databases: [] };
  return withTarget(
    cutover,
    () => none,
    () => holdClients(cutover),
  );
}

/**
 * Makes the target follow the source and compares both, while the source is in use: see ahead.ts. Under a freeze in
 * force it does nothing.
 */
export async function reachPrepare(cutover: Cutover): Promise<AheadReport | null> {
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
    (target) =>
      orThaw(cutover, async () => {
        await prepare(target, cutover);
        await holdClients(cutover);
        return freeze(cutover.source, cutover.stack);
      }),
  );
}

/** The copy is final when it was made under the freeze that is still in force. */
async function ensureCopied({ source, target, frozen }: Sides, cutover: Cutover): Promise<TargetState> {
  const state = await readState(target, "target");
  if (state?.epoch === frozen.epoch && state.phase !== "filling") return state;
  if (state?.replicating === true && state.phase === "filled") {
    await catchUp(source, target);
    return updateTarget(target, { epoch: frozen.epoch });
  }
  if (cutover.method === "replicate") await endReplication(cutover); // it would write into the copy
  await fillTarget(target, cutover, await identityOf(source), { epoch: frozen.epoch });
  return (await readState(target, "target")) as TargetState;
}

async function ensureVerified(sides: Sides, cutover: Cutover): Promise<TargetState> {
  const state = await ensureCopied(sides, cutover);
  if (state.phase === "verified") return state;
  const { source, target } = sides;
  await copySequences(source, target); // again at the end: a number taken after the freeze stores no row
  const verify =
    state.ahead === undefined
      ? await verifyDatabases(cutover)
      : await compareTouched(source, target, cutover, state.ahead);
  if (verify.differences.length > 0) {
    if (cutover.method === "replicate") await forsake(target, cutover);
    throw differencesError(verify.differences);
  }
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
  await copySequences(sides.source, sides.target);
  const movedTo = await identityOf(sides.target);
  await writeState(sides.source, "source", { ...sides.frozen, movedTo });
  const record = await describeRecord(sides, cutover, state);
  const { attempt = "" } = cutover;
  await updateTarget(sides.target, { phase: "active", attempt, report: { record } });
  return record;
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
  await endOfReplication(cutover);
  return record;
}

/** Sends the clients behind PgBouncer to the target, which has taken over; unless they have moved on from it. */
export async function reachResume(cutover: Cutover): Promise<Clients> {
  return withAdmin(cutover.target, async (target) => {
    await holdCutoverLock(target, cutover.log);
    if ((await readState(target, "target"))?.phase !== "active")
      throw new RefusedError("The target has not taken over: its clients cannot be sent to it");
    if ((await readState(target, "source"))?.movedTo !== undefined) return { databases: [] };
    return sendClients(cutover);
  });
}

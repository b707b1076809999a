import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";
import { UserError } from "../../util/errors.ts";
import { isUnchangedSince } from "../compare/target-unchanged.ts";
import type { VerifyReport } from "../compare/verify.ts";
import { identityOf } from "../connections.ts";
import type { CopyReport } from "../copy/copy.ts";
import { advanceSequences } from "../copy/sequences.ts";
import { ExpiredFreeze, freezeLeft } from "../freeze/budget.ts";
import { changedObjects, lockDefinitions, readFingerprint } from "../freeze/fingerprint.ts";
import { clearPreFreezeComparison, endReplication } from "../replication/slots.ts";
import { CutoverSession, type Log } from "../session.ts";
import type { CutoverSettings } from "../settings.ts";
import { type CutoverRecord, describeRecord, writeRecord } from "../state/record.ts";
import {
  type Fingerprint,
  lockState,
  reportOf,
  type SourceState,
  type TargetState,
  writeState,
} from "../state/state.ts";
import { orRollBack, runStage } from "./stage.ts";

/** Writes wait for these stages' processes to start: what they need only where work is left is loaded then. */
const work = () => import("./copy-and-compare.ts");

/**
 * The freeze in force; where there is none, the source is frozen now. A freeze that ended while migrations and grants of
 * the same run followed its copy is not made again: another copy would lose what they did.
 */
async function ensureFrozen(session: CutoverSession): Promise<SourceState> {
  const { frozen, settings, state } = session;
  if (frozen !== undefined && freezeLeft(settings, frozen) > 0) return frozen;
  if (state?.epoch && settings.attempt !== undefined && state.attempt === settings.attempt)
    throw new ExpiredFreeze(settings);
  const { freezeSource } = await import("./freeze-source.ts");
  await freezeSource(session);
  return session.frozen as unknown as SourceState;
}

/** The copy is final when it was made under the freeze that is still in force. */
async function ensureCopied(session: CutoverSession): Promise<TargetState> {
  const frozen = await ensureFrozen(session);
  const { state } = session;
  if (state?.epoch === frozen.epoch && state.phase !== "filling") return state;
  return (await work()).copyFrozen(session, frozen);
}

/** What the run that froze the source found, as long as nothing has been written to the target since. */
async function foundByFreeze({ target }: CutoverSession, state: TargetState) {
  const { compared, epoch } = state;
  if (compared === undefined || compared.epoch !== epoch) return undefined;
  const unchanged = await isUnchangedSince(target, compared.moment);
  return unchanged ? reportOf<VerifyReport>(state, "verify") : undefined;
}

/** Compares both sides, once, and lets the stack write to the target. Throws UserError that names each difference. */
async function ensureVerified(session: CutoverSession): Promise<TargetState> {
  const state = await ensureCopied(session);
  if (state.phase === "verified") return state;
  const verify =
    (await foundByFreeze(session, state)) ?? (await (await work()).compareFrozen(session, state));
  return withTransaction(session.target, async () => {
    await clearPreFreezeComparison(session);
    return session.changeState({ phase: "verified", report: { verify } });
  });
}

/** Freezes where that is still to be done, and copies the source for good. */
export async function reachCopy(settings: CutoverSettings, log: Log = () => {}): Promise<CopyReport> {
  const completed = (state: TargetState) => reportOf<CopyReport>(state, "copy");
  return runStage(settings, log, {
    completed,
    run: async (session) => completed(await ensureCopied(session)),
  });
}

/** A comparison, and the copy that it found to be good. */
type Verified = VerifyReport & { readonly copyId: string };

/**
 * Freezes and copies where that is still to be done, and compares both sides. Throws UserError that names each
 * difference.
 */
export async function reachVerify(settings: CutoverSettings, log: Log = () => {}): Promise<Verified> {
  const completed = (state: TargetState): Verified => ({
    ...reportOf<VerifyReport>(state, "verify"),
    copyId: reportOf<CopyReport>(state, "copy").id,
  });
  return runStage(settings, log, {
    completed,
    run: async (session) => completed(await ensureVerified(session)),
  });
}

/** Where no event trigger refuses DDL, a write may have got in by it: then nothing is switched. */
async function refuseChangedDefinitions(source: pg.Client, fingerprint: Fingerprint): Promise<void> {
  await lockDefinitions(source);
  const changed = changedObjects(fingerprint, await readFingerprint(source));
  if (changed.length === 0) return;
  throw new UserError(
    `Definitions of the source were changed under the freeze (${changed.join(", ")}), so that the copy may miss a write. The source ` +
      "is writable again: run ./pgstack up again when nobody changes definitions.",
  );
}

/** Marks the source as left for good, unless its freeze has ended in the meantime: then nothing is switched. */
async function moveSource({ source, settings }: CutoverSession, frozen: SourceState, movedTo: string) {
  const { database, host, port } = settings.target;
  const movedPlace = `${database} on ${host}:${port}`;
  await withTransaction(source, async () => {
    const found = await lockState(source, "source");
    if (found?.epoch !== frozen.epoch) throw new ExpiredFreeze(settings);
    if (found.fingerprint !== undefined) await refuseChangedDefinitions(source, found.fingerprint);
    await writeState(source, "source", { ...found, movedTo, movedPlace });
  });
}

/** The target's mark is the point of no return: from there on nothing unfreezes the source by itself. */
async function completeSwitchover(session: CutoverSession): Promise<CutoverRecord> {
  const { source, target, settings } = session;
  const state = await orRollBack(session, () => ensureVerified(session));
  const frozen = session.frozen as SourceState;
  await advanceSequences(source, target); // a number taken after the freeze stores no row
  const identity = await identityOf(target);
  await orRollBack(session, () => moveSource(session, frozen, identity));
  await session.liftLimits();
  const record = await describeRecord(session, frozen, state);
  const { attempt = "" } = settings;
  await session.changeState({ phase: "active", attempt, report: { record } });
  return record;
}

/** The clients that wait continue before anything is tidied up: no write is left that could still be replicated. */
async function redirectWaitingClients(session: CutoverSession): Promise<void> {
  if (session.settings.pgbouncer === undefined) return;
  await (await import("./resume.ts")).resumeClients(session);
}

/** What replicated into the target goes once clients write to it. */
async function removeReplication(session: CutoverSession): Promise<void> {
  if (session.settings.method !== "replicate") return;
  await endReplication(session);
  await session.changeState({ replicating: false });
}

/** Does what is still to be done, and switches over: clients belong to the target from here on. */
export async function reachComplete(settings: CutoverSettings, log: Log = () => {}): Promise<CutoverRecord> {
  await using session = await CutoverSession.open(settings, log);
  const record = session.completed
    ? reportOf<CutoverRecord>(await session.filledState(), "record")
    : await completeSwitchover(session);
  writeRecord(settings.record, record);
  await redirectWaitingClients(session);
  await removeReplication(session);
  return record;
}

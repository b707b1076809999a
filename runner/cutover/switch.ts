import type pg from "pg";
import { ExitCode, UserError } from "../user-error.ts";
import { type CopyReport, copySequences } from "./copy.ts";
import { fillTarget, updateTarget } from "./fill.ts";
import { freeze, freezeInForce, thaw } from "./freeze.ts";
import { type CutoverRecord, writeRecord } from "./record.ts";
import type { Cutover } from "./request.ts";
import { withAdmin } from "./session.ts";
import {
  holdCutoverLock,
  identityOf,
  readState,
  type SourceState,
  type TargetState,
  writeState,
} from "./state.ts";
import { type VerifyReport, verifyDatabases } from "./verify.ts";

/** A stage of the switch, on both sides. */
interface Sides {
  readonly source: pg.Client;
  readonly target: pg.Client;
}

/** Lends both sides, the target under lock: one run at a time changes it. */
async function withSides<T>(cutover: Cutover, use: (sides: Sides) => Promise<T>): Promise<T> {
  return withAdmin(cutover.target, async (target) => {
    await holdCutoverLock(target, cutover.log);
    return withAdmin(cutover.source, (source) => use({ source, target }));
  });
}

/** What the target remembers once clients have been sent to it: then no stage touches either side again. */
async function activeTarget(cutover: Cutover): Promise<TargetState | undefined> {
  const state = await withAdmin(cutover.target, (client) => readState(client, "target"));
  return state?.phase === "active" ? state : undefined;
}

function reportOf<T>(state: TargetState, part: string): T {
  return (state.report ?? {})[part] as T;
}

/** Makes the source read-only, once: see freeze.ts. */
export async function reachFreeze(cutover: Cutover): Promise<CutoverRecord["freeze"]> {
  const active = await activeTarget(cutover);
  if (active !== undefined) return reportOf<CutoverRecord>(active, "record").freeze;
  return freeze(cutover.source, cutover.stack);
}

async function ensureFrozen({ source }: Sides, cutover: Cutover): Promise<SourceState> {
  const inForce = await freezeInForce(source, cutover.stack);
  if (inForce !== undefined) return inForce;
  await freeze(cutover.source, cutover.stack);
  return (await readState(source, "source")) as SourceState;
}

/** The copy is final when it was made under the freeze that is still in force. */
async function ensureCopied(
  sides: Sides,
  cutover: Cutover,
): Promise<{ state: TargetState; frozen: SourceState }> {
  const frozen = await ensureFrozen(sides, cutover);
  const state = await readState(sides.target, "target");
  if (state?.epoch === frozen.epoch && state.phase !== "filling") return { state, frozen };
  await fillTarget(sides.target, cutover, await identityOf(sides.source), { epoch: frozen.epoch });
  return { state: (await readState(sides.target, "target")) as TargetState, frozen };
}

/** No number is given twice: one taken from a sequence after the freeze, which stores no row, counts too. */
async function followSequences({ source, target }: Sides): Promise<void> {
  await copySequences(source, target);
}

async function ensureVerified(
  sides: Sides,
  cutover: Cutover,
): Promise<{ state: TargetState; frozen: SourceState }> {
  const { state, frozen } = await ensureCopied(sides, cutover);
  if (state.phase === "verified") return { state, frozen };
  await followSequences(sides);
  const verify = await verifyDatabases(cutover);
  if (verify.differences.length > 0) throw differencesError(verify);
  return { state: await updateTarget(sides.target, { phase: "verified", report: { verify } }), frozen };
}

/** Names every difference. */
export function differencesError({ differences }: VerifyReport): UserError {
  return new UserError(`The target is not the same as the source:\n  ${differences.join("\n  ")}`, {
    exitCode: ExitCode.differs,
  });
}

/** A stage that fails gives the source back to its clients at once. */
async function orThaw<T>(cutover: Cutover, stage: () => Promise<T>): Promise<T> {
  try {
    return await stage();
  } catch (error) {
    const thawed = await thaw(cutover.source, cutover.stack).catch((reason: Error) => reason.message);
    if (typeof thawed === "string") cutover.log(`warning: the source is still read-only: ${thawed}`);
    else if (thawed) cutover.log("the source is writable again");
    throw error;
  }
}

/** Freezes where that is still to be done, and copies the source for good. */
export async function reachCopy(cutover: Cutover): Promise<CopyReport> {
  const active = await activeTarget(cutover);
  if (active !== undefined) return reportOf(active, "copy");
  return orThaw(cutover, () =>
    withSides(cutover, async (sides) => reportOf((await ensureCopied(sides, cutover)).state, "copy")),
  );
}

/** Freezes and copies where that is still to be done, and compares both sides. Throws UserError that names each difference. */
export async function reachVerify(cutover: Cutover): Promise<VerifyReport> {
  const active = await activeTarget(cutover);
  if (active !== undefined) return reportOf(active, "verify");
  return orThaw(cutover, () =>
    withSides(cutover, async (sides) => reportOf((await ensureVerified(sides, cutover)).state, "verify")),
  );
}

/**
 * Does what is still to be done, and hands the clients to the target. The target's mark is the point of no return:
 * from there on nothing thaws the source by itself.
 */
export async function reachComplete(cutover: Cutover): Promise<CutoverRecord> {
  const active = await activeTarget(cutover);
  if (active !== undefined) return reportOf(active, "record");
  return withSides(cutover, async (sides) => {
    const { state, frozen } = await orThaw(cutover, () => ensureVerified(sides, cutover));
    await followSequences(sides);
    await writeState(sides.source, "source", { ...frozen, movedTo: await identityOf(sides.target) });
    const record = await describeRecord(sides, cutover, state, frozen);
    await updateTarget(sides.target, { phase: "active", report: { record } });
    writeRecord(cutover.record, record);
    return record;
  });
}

async function describeRecord(
  sides: Sides,
  cutover: Cutover,
  state: TargetState,
  { epoch, frozenAt }: SourceState,
): Promise<CutoverRecord> {
  const completedAt = new Date().toISOString();
  const { host, port, database } = cutover.source;
  return {
    stack: cutover.stack,
    method: cutover.method,
    by: process.env.USER ?? process.env.LOGNAME ?? "unknown",
    source: { host, port, database, identity: state.source },
    target: {
      host: cutover.target.host,
      port: cutover.target.port,
      database: cutover.target.database,
      identity: await identityOf(sides.target),
    },
    freeze: { epoch, frozenAt },
    completedAt,
    writeDowntimeSeconds: (Date.parse(completedAt) - Date.parse(frozenAt)) / 1000,
    copy: reportOf(state, "copy"),
    verify: reportOf(state, "verify"),
  };
}

import type pg from "pg";
import { ExitCode, RefusedError, UserError } from "../user-error.ts";
import { type CopyReport, copySequences } from "./copy.ts";
import { fillTarget, updateTarget } from "./fill.ts";
import { freeze, freezeInForce } from "./freeze.ts";
import { giveBack } from "./give-back.ts";
import { type Clients, holdClients, sendClients } from "./pgbouncer/clients.ts";
import { type CutoverRecord, writeRecord } from "./record.ts";
import { catchUp, endReplication } from "./replicate.ts";
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
  /** The freeze in force. */
  readonly frozen: SourceState;
}

/** Lends both sides, the source frozen, the target under lock: one run at a time changes it. */
async function withSides<T>(cutover: Cutover, use: (sides: Sides) => Promise<T>): Promise<T> {
  return withAdmin(cutover.target, async (target) => {
    await holdCutoverLock(target, cutover.log);
    const frozen = await ensureFrozen(cutover); // which ends every session of the source
    return withAdmin(cutover.source, (source) => use({ source, target, frozen }));
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

/** Makes the clients behind PgBouncer wait, before the source is frozen. */
export async function reachPause(cutover: Cutover): Promise<Clients> {
  if ((await activeTarget(cutover)) !== undefined) return { databases: [] };
  return withAdmin(cutover.target, async (target) => {
    await holdCutoverLock(target, cutover.log);
    return holdClients(cutover);
  });
}

/** Makes the source read-only, once: see freeze.ts. */
export async function reachFreeze(cutover: Cutover): Promise<CutoverRecord["freeze"]> {
  const active = await activeTarget(cutover);
  if (active !== undefined) return reportOf<CutoverRecord>(active, "record").freeze;
  return orThaw(cutover, async () => {
    await holdClients(cutover);
    return freeze(cutover.source, cutover.stack);
  });
}

async function ensureFrozen(cutover: Cutover): Promise<SourceState> {
  const { source, stack } = cutover;
  await holdClients(cutover);
  const inForce = () => withAdmin(source, (client) => freezeInForce(client, stack));
  const before = await inForce();
  if (before !== undefined) return before;
  await freeze(source, stack);
  return (await inForce()) as SourceState;
}

/** The copy is final when it was made under the freeze that is still in force. */
async function ensureCopied({ source, target, frozen }: Sides, cutover: Cutover): Promise<TargetState> {
  const state = await readState(target, "target");
  if (state?.epoch === frozen.epoch && state.phase !== "filling") return state;
  if (state?.replicating === true && state.phase === "filled") {
    await catchUp(source, target);
    return updateTarget(target, { epoch: frozen.epoch, replicating: false });
  }
  if (cutover.method === "replicate") await endReplication(cutover); // it would write into the copy
  await fillTarget(target, cutover, await identityOf(source), { epoch: frozen.epoch });
  return (await readState(target, "target")) as TargetState;
}

/** No number is given twice: one taken from a sequence after the freeze, which stores no row, counts too. */
async function followSequences({ source, target }: Sides): Promise<void> {
  await copySequences(source, target);
}

async function ensureVerified(sides: Sides, cutover: Cutover): Promise<TargetState> {
  const state = await ensureCopied(sides, cutover);
  if (state.phase === "verified") return state;
  if (cutover.method === "replicate") await endReplication(cutover);
  await followSequences(sides);
  const verify = await verifyDatabases(cutover);
  if (verify.differences.length > 0) throw differencesError(verify);
  return updateTarget(sides.target, { phase: "verified", report: { verify } });
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
    const thawed = await giveBack(cutover).catch((reason: Error) => reason.message);
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
    withSides(cutover, async (sides) => reportOf(await ensureCopied(sides, cutover), "copy")),
  );
}

/**
 * Freezes and copies where that is still to be done, and compares both sides. Throws UserError that names each
 * difference. The epoch is the freeze's under which the copy was made.
 */
export async function reachVerify(cutover: Cutover): Promise<VerifyReport & { epoch: string | null }> {
  const active = await activeTarget(cutover);
  if (active !== undefined) return { ...reportOf<VerifyReport>(active, "verify"), epoch: active.epoch };
  return orThaw(cutover, () =>
    withSides(cutover, async (sides) => {
      const state = await ensureVerified(sides, cutover);
      return { ...reportOf<VerifyReport>(state, "verify"), epoch: state.epoch };
    }),
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
    const state = await orThaw(cutover, () => ensureVerified(sides, cutover));
    const { frozen } = sides;
    await followSequences(sides);
    await writeState(sides.source, "source", { ...frozen, movedTo: await identityOf(sides.target) });
    const record = await describeRecord(sides, cutover, state);
    await updateTarget(sides.target, { phase: "active", report: { record } });
    writeRecord(cutover.record, record);
    return record;
  });
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

async function describeRecord(sides: Sides, cutover: Cutover, state: TargetState): Promise<CutoverRecord> {
  const { epoch, frozenAt } = sides.frozen;
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

import { randomUUID } from "node:crypto";
import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { RefusedError, UserError } from "../../util/errors.ts";
import { backendOf, type SideSettings, withAdmin, withoutTriggers } from "../connections.ts";
import { holdCutoverLock } from "../lock.ts";
import {
  clearState,
  type Fingerprint,
  lockState,
  readState,
  type SourceState,
  writeState,
} from "../state/state.ts";
import { restoreCreation, revokeCreation } from "./creation.ts";
import { lockDefinitions, readFingerprint } from "./fingerprint.ts";
import { endingBlockers, endSessions } from "./sessions.ts";
import { type Proof, verifyReadOnly } from "./verify-read-only.ts";
import {
  blockDefinitions,
  blockWrites,
  readOnlySetting,
  removeWriteBlock,
  restoreLargeObjectWrites,
  revokeLargeObjectWrites,
  setReadOnlySetting,
  unblockDefinitions,
  unblockedTables,
} from "./write-block.ts";

/** A freeze in force. */
export interface Freeze {
  readonly epoch: string;
  readonly frozenAt: string;
  /** Sessions that were ended. */
  readonly ended: number;
  readonly proof: Proof;
}

/** What no write block can stop: it would write after the freeze, or block it for ever. */
async function refuseWhatCannotBeFrozen(client: pg.Client): Promise<void> {
  const rows = await rowsOf<{ what: string }>(
    client,
    `SELECT 'the prepared transaction ' || gid || ' (COMMIT PREPARED or ROLLBACK PREPARED ends it)' AS what
       FROM pg_prepared_xacts WHERE database = current_database()
     UNION ALL
     SELECT 'the subscription ' || subname || ' (ALTER SUBSCRIPTION … DISABLE stops it)'
       FROM pg_subscription WHERE subenabled
        AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  if (rows.length > 0)
    throw new RefusedError(
      `The source cannot be frozen because of ${rows.map(({ what }) => what).join(", ")}`,
    );
}

async function stateForFreeze(client: pg.Client, holder: string): Promise<SourceState> {
  const found = await readState(client, "source");
  if (found !== undefined && found.holder !== holder)
    throw new RefusedError(
      `The source is frozen by the cutover of "${found.holder}": only that one can unfreeze it (destroy it, or set its state to rehearse)`,
    );
  if (found?.proved === true && (await unblockedTables(client)).length > 0) {
    const { fingerprint: _, ...broken } = found;
    return { ...broken, epoch: randomUUID(), proved: false }; // what was copied under it may miss a write
  }
  if (found !== undefined) return { ...found, proved: false };
  const frozenAt = new Date().toISOString();
  const readOnlyBefore = await readOnlySetting(client);
  return { epoch: randomUUID(), holder, frozenAt, proved: false, readOnlyBefore, revoked: [] };
}

/** For how long the freeze waits for locks: writers queue behind it, and those in its way are ended meanwhile. */
const lockSeconds = 10;

/** Says what keeps the freeze from its locks. */
function explainLock(error: unknown): unknown {
  if ((error as { code?: string }).code !== "55P03") return error;
  return new UserError(
    `Cannot lock every table of the source within ${lockSeconds} s: a session that this administrator may not end holds a lock. ` +
      "End it, then run this again.",
    { cause: error },
  );
}

/** A write block that stands, and whether it refuses DDL as well. */
interface Raised {
  readonly state: SourceState;
  readonly refusesDefinitions: boolean;
}

/** One transaction: what was before is recorded together with each change. */
async function raiseWriteBlock(client: pg.Client, holder: string): Promise<Raised> {
  return withTransaction(client, async () => {
    await client.query(`SET LOCAL lock_timeout = '${lockSeconds}s'`);
    await unblockDefinitions(client);
    const { creation = [], ...state } = await stateForFreeze(client, holder);
    await restoreCreation(client, creation);
    await setReadOnlySetting(client, "on");
    const revoked = [...state.revoked, ...(await revokeLargeObjectWrites(client))];
    await blockWrites(client);
    await writeState(client, "source", { ...state, revoked });
    if (await blockDefinitions(client)) return { state: { ...state, revoked }, refusesDefinitions: true };
    const raised = { ...state, revoked, creation: await revokeCreation(client) };
    await writeState(client, "source", raised);
    return { state: raised, refusesDefinitions: false };
  });
}

/** A table whose creation was under way while the write block was set shows itself when its session has ended. */
async function raiseUntilComplete(
  client: pg.Client,
  holder: string,
  spared: number[],
): Promise<[Raised, number]> {
  await endSessions(client, spared);
  let raised = await raiseWriteBlock(client, holder);
  const ended = await endSessions(client, spared);
  while ((await unblockedTables(client)).length > 0) raised = await raiseWriteBlock(client, holder);
  return [raised, ended];
}

/** The versions of all definitions, taken while nobody changes one, and every table's write block stands. */
async function takeFingerprint(client: pg.Client): Promise<Fingerprint> {
  return withTransaction(client, async () => {
    await lockDefinitions(client);
    const open = await unblockedTables(client);
    if (open.length > 0) throw new UserError(`The freeze does not cover ${open.join(", ")}. Run this again.`);
    return readFingerprint(client);
  });
}

/**
 * Makes the source read-only for every role, ends the sessions that were there, and verifies it. Safe to repeat;
 * a failure leaves the source as it was. Throws RefusedError where another stack froze it, or where something
 * stands that no write block stops.
 */
export async function freeze(
  source: SideSettings,
  holder: string,
  spared: readonly number[] = [],
): Promise<Freeze> {
  return withAdmin(source, async (client) => {
    await holdCutoverLock(client, () => {});
    await refuseWhatCannotBeFrozen(client);
    await client.query(withoutTriggers("SESSION")); // other event triggers stay out of this
    const fresh = (await readState(client, "source")) === undefined;
    const pid = backendOf(client);
    try {
      const [{ state, refusesDefinitions }, ended] = await endingBlockers(source, pid, (reaper) =>
        raiseUntilComplete(client, holder, [pid, reaper, ...spared]),
      );
      const proof = await verifyReadOnly(client);
      const fingerprint = refusesDefinitions
        ? undefined
        : (state.fingerprint ?? (await takeFingerprint(client)));
      await writeState(client, "source", { ...state, proved: true, ...(fingerprint && { fingerprint }) });
      return { epoch: state.epoch, frozenAt: state.frozenAt, ended, proof };
    } catch (error) {
      if (fresh && (await lift(client, { holder }).catch(() => false)))
        await endSessionsStartedReadOnly(client, [pid, ...spared]);
      throw explainLock(error);
    }
  });
}

/** Which freeze may end: the one of that stack, and no other than `only` where that is given. */
interface Freezer {
  readonly holder: string;
  readonly only?: string | undefined;
}

/** A freeze that is named ends only as long as no switch is complete under it. */
function mayEnd(state: SourceState | undefined, { holder, only }: Freezer): state is SourceState {
  if (state?.holder !== holder) return false;
  return only === undefined || (state.epoch === only && state.movedTo === undefined);
}

async function lift(client: pg.Client, freezer: Freezer): Promise<boolean> {
  return withTransaction(client, async () => {
    const state = await lockState(client, "source");
    if (!mayEnd(state, freezer)) return false;
    await removeWriteBlock(client);
    await restoreLargeObjectWrites(client, state.revoked);
    await restoreCreation(client, state.creation ?? []);
    await setReadOnlySetting(client, state.readOnlyBefore);
    await clearState(client, "source");
    return true;
  });
}

/** A session that began under the freeze would stay read-only by default until its end, in a client's pool for hours. */
async function endSessionsStartedReadOnly(client: pg.Client, spared: readonly number[]): Promise<void> {
  await endSessions(client, spared).catch(() => {}); // one that does not end in time is read-only, and no more
}

/**
 * Puts the source back exactly as it was before the freeze of `holder`, in one transaction, and ends the sessions that
 * began meanwhile. False where that stack holds no freeze. Safe to repeat.
 * @param options sessions of this run to spare; and a freeze, which alone is to end
 */
export async function unfreeze(
  source: SideSettings,
  holder: string,
  { spared = [], only }: { readonly spared?: readonly number[]; readonly only?: string | undefined } = {},
): Promise<boolean> {
  return withAdmin(source, async (client) => {
    await holdCutoverLock(client, () => {});
    const freezer = { holder, only };
    if (!mayEnd(await readState(client, "source"), freezer)) return false;
    await client.query(withoutTriggers("SESSION"));
    const pid = backendOf(client);
    const lifted = await endingBlockers(source, pid, () => lift(client, freezer));
    if (lifted) await endSessionsStartedReadOnly(client, [pid, ...spared]);
    return lifted;
  });
}

/** The freeze that `holder` has in force on the source, if it is whole. */
export async function freezeInForce(client: pg.Client, holder: string): Promise<SourceState | undefined> {
  const state = await readState(client, "source");
  if (state === undefined || state.holder !== holder || !state.proved) return undefined;
  return (await unblockedTables(client)).length === 0 ? state : undefined;
}

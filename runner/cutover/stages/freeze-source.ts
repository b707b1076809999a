import { setTimeout as sleep } from "node:timers/promises";
import { type TwoPairs, withTwoPairs } from "../compare/row-checksums.ts";
import { backendOf } from "../connections.ts";
import { copySequences } from "../copy/sequences.ts";
import { describeBudget, freezeLeft } from "../freeze/budget.ts";
import { definitionsAreHeld } from "../freeze/definition-lock.ts";
import { type Freeze, freeze } from "../freeze/freeze.ts";
import { pauseClients } from "../pgbouncer/clients.ts";
import { ensurePreFreezeComparison } from "../replication/compare-before-freeze.ts";
import { compareChangedRows } from "../replication/compare-frozen.ts";
import type { CutoverSession } from "../session.ts";
import type { PreFreezeReport } from "../state/state.ts";
import { rollBack } from "./rollback.ts";
import { startWatch } from "./watch.ts";

/** What can be done before the freeze: with replication, all but what is written meanwhile. */
export async function prepare(session: CutoverSession): Promise<PreFreezeReport | null> {
  if (session.settings.method === "copy") return null;
  if (session.frozen === undefined) return ensurePreFreezeComparison(session);
  return session.state?.ahead ?? null;
}

/** Where it finds a difference, it leaves all to the stages that follow: they compare again, and name it. */
async function compareAtOnce(session: CutoverSession, { epoch }: Freeze, pairs: TwoPairs): Promise<void> {
  const { state, settings } = session;
  if (state?.replicating !== true || state.phase !== "filled" || state.ahead === undefined) return;
  await copySequences(...pairs[0]);
  const { verify, moment } = await compareChangedRows(pairs, settings, state.ahead);
  if (verify.differences.length > 0) return;
  await session.changeState({
    epoch,
    attempt: settings.attempt,
    compared: { epoch, moment },
    report: { verify },
  });
}

/**
 * Freezes the source of a target that follows it, waits for the last commit and compares, all in this run and its
 * sessions, which are open before writes are refused. The stages that follow then find their work done.
 */
async function freezeAndCompare(session: CutoverSession): Promise<Freeze> {
  return withTwoPairs(session.settings, async (pairs) => {
    const done = await freezeBeside(
      session,
      pairs.map(([source]) => backendOf(source)),
    );
    await compareAtOnce(session, done, pairs);
    return done;
  });
}

/** Freezes, and spares this run's own sessions. */
async function freezeBeside(session: CutoverSession, own: readonly number[] = []): Promise<Freeze> {
  const { source, stack, maxFreeze } = session.settings;
  const limited = { ...source, statementTimeout: maxFreeze };
  const done = await freeze(limited, stack, [...own, backendOf(session.source)]);
  await session.readFreeze();
  if (session.frozen?.fingerprint !== undefined) await untilDefinitionsHeld(session);
  return done;
}

const patienceMs = 10_000;

/** The watch takes the locks; without them the fingerprint still shows a change, and nothing would be switched. */
async function untilDefinitionsHeld({ source, log }: CutoverSession): Promise<void> {
  for (const end = Date.now() + patienceMs; !(await definitionsAreHeld(source)); await sleep(50))
    if (Date.now() > end)
      return log("warning: definitions of the source are not locked: a change of one rolls the switch back");
}

/** A freeze that a killed run has left for too long ends, and another one begins. */
async function endExpiredFreeze(session: CutoverSession): Promise<void> {
  const { frozen, settings } = session;
  if (frozen === undefined || freezeLeft(settings, frozen) > 0) return;
  await rollBack(settings, { spared: [backendOf(session.source)] });
  session.log(
    `the freeze of ${frozen.frozenAt} took longer than ${describeBudget(settings)} allows: another one begins`,
  );
  await session.readFreeze();
}

/** Does what can be done before, pauses the clients behind PgBouncer, and freezes. */
export async function freezeSource(session: CutoverSession): Promise<Freeze> {
  await endExpiredFreeze(session);
  await prepare(session);
  startWatch(session.settings);
  await pauseClients(session.settings, session.log);
  if (session.settings.method === "replicate") return freezeAndCompare(session);
  return freezeBeside(session);
}

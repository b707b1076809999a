import type pg from "pg";
import { type TwoPairs, withTwoPairs } from "../compare/row-checksums.ts";
import { copySequences } from "../copy/sequences.ts";
import { type Freeze, freeze, freezeInForce } from "../freeze/freeze.ts";
import { backendOf, withAdmin } from "../freeze/sessions.ts";
import { pauseClients } from "../pgbouncer/clients.ts";
import { ensurePreFreezeComparison } from "../replication/compare-before-freeze.ts";
import { compareChangedRows } from "../replication/compare-frozen.ts";
import type { Cutover } from "../settings.ts";
import { type PreFreezeReport, readState, updateTarget } from "../state/state.ts";

/** What can be done before the freeze: with replication, all but what is written meanwhile. */
export async function prepare(target: pg.Client, cutover: Cutover): Promise<PreFreezeReport | null> {
  if (cutover.method === "copy") return null;
  const { source, stack } = cutover;
  const frozen = await withAdmin(source, (client) => freezeInForce(client, stack));
  if (frozen === undefined) return ensurePreFreezeComparison(target, cutover);
  return (await readState(target, "target"))?.ahead ?? null;
}

/** Where it finds a difference, it leaves all to the stages that follow: they compare again, and name it. */
async function compareAtOnce(
  target: pg.Client,
  cutover: Cutover,
  { epoch }: Freeze,
  pairs: TwoPairs,
): Promise<void> {
  const state = await readState(target, "target");
  if (state?.replicating !== true || state.phase !== "filled" || state.ahead === undefined) return;
  await copySequences(...pairs[0]);
  const { verify, moment } = await compareChangedRows(pairs, cutover, state.ahead);
  if (verify.differences.length > 0) return;
  await updateTarget(target, { epoch, compared: { epoch, moment }, report: { verify } });
}

/**
 * Freezes the source of a target that follows it, waits for the last commit and compares, all in this run and its
 * sessions, which are open before writes are refused. The stages that follow then find their work done.
 */
async function freezeAndCompare(target: pg.Client, cutover: Cutover): Promise<Freeze> {
  return withTwoPairs(cutover, async (pairs) => {
    const own = await Promise.all(pairs.map(([source]) => backendOf(source)));
    const done = await freeze(cutover.source, cutover.stack, own);
    await compareAtOnce(target, cutover, done, pairs);
    return done;
  });
}

/** Does what can be done before, makes the clients behind PgBouncer wait, and freezes. */
export async function freezeSource(target: pg.Client, cutover: Cutover): Promise<Freeze> {
  await prepare(target, cutover);
  await pauseClients(cutover);
  if (cutover.method === "replicate") return freezeAndCompare(target, cutover);
  return freeze(cutover.source, cutover.stack);
}

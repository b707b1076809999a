import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";
import { secondsSince } from "../../util/task-pool.ts";
import { comparisonPins, type Pair, withPairs } from "../compare/row-checksums.ts";
import { describeRows } from "../compare/rows.ts";
import { compareSchemas } from "../compare/schema.ts";
import { differencesError } from "../compare/verify.ts";
import { withAdmin } from "../freeze/sessions.ts";
import { blockWrites, unblockedTables } from "../freeze/write-block.ts";
import type { Cutover } from "../settings.ts";
import { type PreFreezeReport, readState, updateTarget } from "../state/state.ts";
import { compareRound } from "./compare-round.ts";
import { isFollowing, startFollowing } from "./follow.ts";
import { clearPending, type Pending, readPending, savePending } from "./pending.ts";
import { advanceSlot } from "./read-changes.ts";
import { changeSlot, endReplication, hasSlot, makeChangeSlot } from "./slots.ts";

const patience = "60s";

/**
 * From now on only replication writes to the target's tables, so that what was compared stays so. Waits for open
 * transactions that have written, up to a minute.
 */
async function blockTargetWrites(target: pg.Client): Promise<void> {
  await withTransaction(target, async () => {
    await target.query(
      `SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '${patience}'`,
    );
    await blockWrites(target, "clients");
  });
}

/** What an earlier comparison has left, and what it found. */
interface Left {
  readonly pending: Pending;
  readonly report: PreFreezeReport;
}

/** What an earlier comparison has left, if it still holds; undefined where all is to be compared. */
async function leftToCompare(
  source: pg.Client,
  target: pg.Client,
  cutover: Cutover,
): Promise<Left | undefined> {
  if (!(await isFollowing(source, target, cutover))) return undefined;
  const report = (await readState(target, "target"))?.ahead;
  if (report === undefined || !(await hasSlot(source, changeSlot(cutover).name))) return undefined;
  if ((await unblockedTables(target, "clients")).length > 0) return undefined;
  return { pending: await readPending(target), report };
}

/** A target that differs follows no longer: the next run copies anew. */
export async function stopReplication(target: pg.Client, cutover: Cutover): Promise<void> {
  await endReplication(cutover);
  await updateTarget(target, { replicating: false });
}

async function refuse(target: pg.Client, cutover: Cutover, differences: readonly string[]): Promise<void> {
  if (differences.length === 0) return;
  await stopReplication(target, cutover);
  throw differencesError(differences);
}

async function compareDefinitions(cutover: Cutover): Promise<string[]> {
  return withPairs(cutover, 1, ([pair]) => {
    const [there, here] = pair as Pair;
    return compareSchemas(there, here, cutover);
  });
}

/** Definitions are not replicated: where they have changed since the copy, or are not followed, it is made anew. */
async function ensureFollowing(source: pg.Client, target: pg.Client, cutover: Cutover): Promise<void> {
  if (await isFollowing(source, target, cutover)) {
    await blockTargetWrites(target);
    const changed = await compareDefinitions(cutover);
    if (changed.length === 0) return;
    cutover.log(`definitions are no longer the same, so that all is copied anew:\n  ${changed.join("\n  ")}`);
  }
  await startFollowing(source, target, cutover);
  await blockTargetWrites(target);
  await refuse(target, cutover, await compareDefinitions(cutover));
}

/** Seconds of a round that another one would not shorten. */
const quick = 0.5;
/** Seconds for which a comparison leaves so little to compare again that it need not be repeated before a freeze. */
const recent = 30;
/** A difference must be found this often: a commit that waits for a standby can be seen late on the source. */
const attempts = 3;

/** Compares until what is written during a round is little, and remembers what that is. */
async function compareRounds(
  source: pg.Client,
  target: pg.Client,
  cutover: Cutover,
  left: Left | undefined,
): Promise<PreFreezeReport> {
  const start = performance.now();
  let pending = left?.pending;
  let report = left?.report;
  for (let rounds = 1, faults = 0, before = Number.POSITIVE_INFINITY; ; rounds++) {
    const began = performance.now();
    const round = await compareRound(source, cutover, pending);
    report = {
      comparedAt: new Date().toISOString(),
      tables: round.tables.tables.length,
      rows: report?.rows ?? round.rows,
      rounds: (left?.report.rounds ?? 0) + rounds,
      seconds: (left?.report.seconds ?? 0) + secondsSince(start),
    };
    pending = round.pending;
    await savePending(target, pending, report);
    await advanceSlot(source, changeSlot(cutover).name, round.changes.end);
    faults = round.differences.size > 0 ? faults + 1 : 0;
    if (faults === attempts) await refuse(target, cutover, describeRows(round));
    const took = secondsSince(began);
    if (faults > 0) await new Promise((resolve) => setTimeout(resolve, 300));
    else if (took < quick || took > before / 2) return report;
    before = took;
  }
}

/**
 * Makes the target follow the source, and compares both while the source is in use; what a switch has to compare under
 * the freeze is then only what is written after this. Safe to repeat: it goes on from what was compared before.
 */
export async function ensurePreFreezeComparison(
  target: pg.Client,
  cutover: Cutover,
): Promise<PreFreezeReport> {
  return withAdmin(cutover.source, async (source) => {
    const found = await leftToCompare(source, target, cutover);
    if (found !== undefined && Date.now() - Date.parse(found.report.comparedAt) < recent * 1000)
      return found.report;
    await ensureFollowing(source, target, cutover);
    await source.query(comparisonPins);
    const left = await leftToCompare(source, target, cutover);
    if (left === undefined) {
      await clearPending(target);
      await makeChangeSlot(source, cutover);
    }
    return compareRounds(source, target, cutover, left);
  });
}

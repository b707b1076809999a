import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";
import { secondsSince } from "../../util/task-pool.ts";
import { comparisonPins, type Pair, withPairs } from "../compare/row-checksums.ts";
import { describeRows } from "../compare/rows.ts";
import { compareSchemas } from "../compare/schema.ts";
import { differencesError } from "../compare/verify.ts";
import { withoutTriggers } from "../connections.ts";
import { blockWrites, unblockedTables } from "../freeze/write-block.ts";
import type { CutoverSession } from "../session.ts";
import type { CutoverSettings } from "../settings.ts";
import type { PreFreezeReport } from "../state/state.ts";
import { compareRound } from "./compare-round.ts";
import { copyAndFollow, isFollowing, stopReplication } from "./follow.ts";
import { clearPending, type Pending, readPending, savePending } from "./pending.ts";
import { advanceSlot } from "./read-changes.ts";
import { changeSlot, hasSlot, makeChangeSlot } from "./slots.ts";

const patience = "60s";

/**
 * From now on only replication writes to the target's tables, so that what was compared stays so. Waits for open
 * transactions that have written, up to a minute.
 */
async function blockTargetWrites(target: pg.Client): Promise<void> {
  await withTransaction(target, async () => {
    await target.query(`${withoutTriggers("LOCAL")}; SET LOCAL lock_timeout = '${patience}'`);
    await blockWrites(target, "clients");
  });
}

/** What an earlier comparison has left, and what it found. */
interface Left {
  readonly pending: Pending;
  readonly report: PreFreezeReport;
}

/** What an earlier comparison has left, if it still holds; undefined where all is to be compared. */
async function leftToCompare(session: CutoverSession): Promise<Left | undefined> {
  const { source, target, settings } = session;
  if (!(await isFollowing(session))) return undefined;
  const report = session.state?.ahead;
  if (report === undefined || !(await hasSlot(source, changeSlot(settings).name))) return undefined;
  if ((await unblockedTables(target, "clients")).length > 0) return undefined;
  return { pending: await readPending(target), report };
}

async function refuse(session: CutoverSession, differences: readonly string[]): Promise<void> {
  if (differences.length === 0) return;
  await stopReplication(session);
  throw differencesError(differences);
}

async function compareDefinitions(settings: CutoverSettings): Promise<string[]> {
  return withPairs(settings, 1, ([pair]) => {
    const [there, here] = pair as Pair;
    return compareSchemas(there, here, settings);
  });
}

/** Definitions are not replicated: where they have changed since the copy, or are not followed, it is made again. */
async function ensureFollowing(session: CutoverSession): Promise<void> {
  const { target, settings } = session;
  if (await isFollowing(session)) {
    await blockTargetWrites(target);
    const changed = await compareDefinitions(settings);
    if (changed.length === 0) return;
    session.log(
      `The definitions are no longer the same on both sides, so that the source is copied again:\n  ${changed.join("\n  ")}`,
    );
  }
  await copyAndFollow(session);
  await blockTargetWrites(target);
  await refuse(session, await compareDefinitions(settings));
}

/** Seconds of a round that another one would not shorten. */
const quick = 0.5;
/** Seconds for which a comparison leaves so little to compare again that it need not be repeated before a freeze. */
const recent = 30;
/** A difference must be found this often: a commit that waits for a standby can be seen late on the source. */
const attempts = 3;

/** Compares until what is written during a round is little, and remembers what that is. */
async function compareRounds(session: CutoverSession, left: Left | undefined): Promise<PreFreezeReport> {
  const { source, settings } = session;
  const start = performance.now();
  let pending = left?.pending;
  let report = left?.report;
  for (let rounds = 1, faults = 0, before = Number.POSITIVE_INFINITY; ; rounds++) {
    const began = performance.now();
    const round = await compareRound(source, settings, pending);
    report = {
      comparedAt: new Date().toISOString(),
      tables: round.tables.tables.length,
      rows: report?.rows ?? round.rows,
      rounds: (left?.report.rounds ?? 0) + rounds,
      seconds: (left?.report.seconds ?? 0) + secondsSince(start),
    };
    pending = round.pending;
    await savePending(session, pending, report);
    await advanceSlot(source, changeSlot(settings).name, round.changes.end);
    faults = round.differences.size > 0 ? faults + 1 : 0;
    if (faults === attempts) await refuse(session, describeRows(round));
    const took = secondsSince(began);
    if (faults > 0) await sleep(300);
    else if (took < quick || took > before / 2) return report;
    before = took;
  }
}

/**
 * The pre-freeze comparison: makes the target follow the source, and compares both while the source is in use; what a
 * switch has to compare under the freeze is then only what is written after this. Safe to repeat: it continues from what
 * was compared before.
 */
export async function ensurePreFreezeComparison(session: CutoverSession): Promise<PreFreezeReport> {
  const { source, settings } = session;
  const found = await leftToCompare(session);
  if (found !== undefined && Date.now() - Date.parse(found.report.comparedAt) < recent * 1000)
    return found.report;
  await ensureFollowing(session);
  await source.query(comparisonPins);
  const left = await leftToCompare(session);
  if (left === undefined) {
    await clearPending(session.target);
    await makeChangeSlot(source, settings);
  }
  return compareRounds(session, left);
}

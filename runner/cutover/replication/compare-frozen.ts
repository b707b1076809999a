import { secondsSince } from "../../util/task-pool.ts";
import type { Pair, TwoPairs } from "../compare/row-checksums.ts";
import { compareRows, describeRows, describeTables, rewritten } from "../compare/rows.ts";
import { compareSchemas } from "../compare/schema.ts";
import { transactionSnapshotOf } from "../compare/target-unchanged.ts";
import { compareSequences, type VerifyReport } from "../compare/verify.ts";
import type { CutoverSettings } from "../settings.ts";
import type { PreFreezeReport } from "../state/state.ts";
import { catchUp, type HeartbeatMarker } from "./heartbeat.ts";
import { readPending } from "./pending.ts";
import { readChanges } from "./read-changes.ts";
import { changeSlot } from "./slots.ts";

/** The rows that were written since the comparison ahead of the freeze. */
async function compareWritten(pair: Pair, cutover: CutoverSettings, marker: HeartbeatMarker) {
  const [source, target] = pair;
  const tables = await describeTables(pair);
  const { rows, files } = await readPending(target);
  const { parts } = await readChanges(source, changeSlot(cutover), tables, [marker]);
  for (const part of parts) rows.merge(part);
  for (const name of rewritten(tables, files)) rows.add(name, "all");
  return { tables: tables.tables.length, ...(await compareRows([pair], tables, rows)) };
}

async function compareRest([source, target]: Pair, cutover: CutoverSettings) {
  const schema = await compareSchemas(source, target, cutover);
  const { count, differences } = await compareSequences([source, target], false);
  return { count, differences: [...schema, ...differences] };
}

/** What was compared, and the moment of the target from which on it holds as long as nothing is written there. */
export interface FrozenComparisonResult {
  readonly verify: VerifyReport;
  readonly moment: string;
}

/**
 * Compares a frozen source with a target that has followed it: definitions, owners, grants and sequences whole, of the
 * rows those that were written since `ahead`. All others were the same then, and have not been written since: neither
 * on the source, whose log names every write, nor on the target, where only replication may write.
 */
export async function compareChangedRows(
  [first, second]: TwoPairs,
  cutover: CutoverSettings,
  ahead: PreFreezeReport,
): Promise<FrozenComparisonResult> {
  const start = performance.now();
  const marker = await catchUp(...first);
  const moment = await transactionSnapshotOf(first[1]);
  const [rows, rest] = await Promise.all([
    compareWritten(first, cutover, marker),
    compareRest(second, cutover),
  ]);
  const verify = {
    tables: rows.tables,
    rows: rows.rows,
    sequences: rest.count,
    differences: [...describeRows(rows), ...rest.differences],
    seconds: secondsSince(start),
    ahead,
  };
  return { verify, moment };
}

import type pg from "pg";
import { readChanges } from "./changes.ts";
import type { AheadReport } from "./compare-ahead.ts";
import { compareRows, describeRows, describeTables, rewritten } from "./compare-rows.ts";
import { compareSchemas } from "./compare-schema.ts";
import { type Beat, catchUp } from "./heartbeat.ts";
import { readPending } from "./pending-rows.ts";
import { changeSlot } from "./replicate.ts";
import type { Cutover } from "./request.ts";
import { comparisonPins, type Pair, withPairs } from "./row-sums.ts";
import { compareSequences, type VerifyReport } from "./verify.ts";
import { secondsSince } from "./work.ts";

/** The rows that were written since the comparison ahead of the freeze. */
async function compareWritten(
  { source, target, beat }: { source: pg.Client; target: pg.Client; beat: Beat },
  cutover: Cutover,
  pairs: readonly Pair[],
) {
  const tables = await describeTables(pairs[0] as Pair);
  const { rows, files } = await readPending(target);
  const { parts } = await readChanges(source, changeSlot(cutover), tables, [beat]);
  for (const part of parts) rows.merge(part);
  for (const name of rewritten(tables, files)) rows.add(name, "all");
  return { tables: tables.tables.length, ...(await compareRows(pairs, tables, rows)) };
}

async function compareRest([source, target]: Pair, cutover: Cutover) {
  const schema = await compareSchemas(source, target, cutover);
  const { count, differences } = await compareSequences([source, target], false);
  return { count, differences: [...schema, ...differences] };
}

/**
 * Compares a frozen source with a target that has followed it: definitions, owners, grants and sequences whole, of the
 * rows those that were written since `ahead`. All others were the same then, and have not been written since: neither
 * on the source, whose log names every write, nor on the target, where only replication may write.
 */
export async function compareTouched(
  source: pg.Client,
  target: pg.Client,
  cutover: Cutover,
  ahead: AheadReport,
): Promise<VerifyReport> {
  const start = performance.now();
  await source.query(comparisonPins);
  return withPairs(cutover, 2, async (pairs) => {
    const [first, second] = pairs as readonly [Pair, Pair];
    const beat = await catchUp(source, target);
    const [rows, rest] = await Promise.all([
      compareWritten({ source, target, beat }, cutover, [first]),
      compareRest(second, cutover),
    ]);
    return {
      tables: rows.tables,
      rows: rows.rows,
      sequences: rest.count,
      differences: [...describeRows(rows), ...rest.differences],
      seconds: secondsSince(start),
      ahead,
    };
  });
}

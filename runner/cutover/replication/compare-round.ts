import type pg from "pg";
import { ChangedRows } from "../compare/changed-rows.ts";
import type { Pair } from "../compare/row-checksums.ts";
import {
  type ComparableTables,
  compareRows,
  describeTables,
  type RowComparison,
  rewritten,
} from "../compare/rows.ts";
import type { CutoverSettings } from "../settings.ts";
import { sendHeartbeat } from "./heartbeat.ts";
import type { Pending } from "./pending.ts";
import { type Changes, readChanges } from "./read-changes.ts";
import { changeSlot } from "./slots.ts";
import { withConsistentSnapshots } from "./snapshots.ts";

/** What one round found. */
interface Round extends RowComparison {
  readonly tables: ComparableTables;
  readonly changes: Changes;
  /** What is to be compared again: it was written meanwhile, or it differs. */
  readonly pending: Pending;
}

/** Whether the rows of a table have to be read whole. */
const holdsAll = (rows: ChangedRows) => [...rows.tables()].some(([, keys]) => keys === "all");

async function describeAndRead(source: pg.Client, cutover: CutoverSettings, pair: Pair, marker: string) {
  const tables = await describeTables(pair);
  const changes = await readChanges(source, changeSlot(cutover), tables, [
    marker,
    await sendHeartbeat(source),
  ]);
  const [before, meanwhile] = changes.parts as [ChangedRows, ChangedRows];
  return { tables, changes, before, meanwhile };
}

/**
 * Compares what is left, or all where undefined, and what was written since, while both sides are in use. A row that nobody
 * wrote between a heartbeat before the two snapshots and one after them must be the same in both: the target had
 * applied all that came before the first, and the source shows nothing that came after the second.
 * @param source a session whose output is pinned
 */
export async function compareRound(
  source: pg.Client,
  cutover: CutoverSettings,
  left: Pending | undefined,
): Promise<Round> {
  const marker = await sendHeartbeat(source);
  const jobs = left === undefined || holdsAll(left.rows) ? cutover.jobs : 1;
  return withConsistentSnapshots(cutover, jobs, marker, async (pairs) => {
    const { tables, changes, before, meanwhile } = await describeAndRead(
      source,
      cutover,
      pairs[0] as Pair,
      marker,
    );
    const wanted = left?.rows ?? ChangedRows.whole(tables.tables);
    wanted.merge(before);
    for (const name of left === undefined ? [] : rewritten(tables, left.files)) wanted.add(name, "all");
    const result = await compareRows(pairs, tables, wanted, meanwhile);
    for (const name of result.differences.keys()) meanwhile.add(name, wanted.keysOf(name) ?? "all");
    return { ...result, tables, changes, pending: { rows: meanwhile, files: tables.files } };
  });
}

import type pg from "pg";
import type { MigrationSettings } from "../config/migrations.ts";
import type { Origin } from "./files/script.ts";
import type { MigrationFile } from "./files/types.ts";
import {
  type History,
  type HistoryRow,
  type HistoryTable,
  historyTable,
  readApplied,
  readHistory,
} from "./history/history.ts";
import type { Warning } from "./lint/lint.ts";
import { adoptable, makePlan, type Plan } from "./plan/plan.ts";
import { keptFiles } from "./plan/target-revision.ts";

/** A down script as the database has recorded it. */
export interface RecordedDown {
  readonly name: string;
  readonly language: HistoryRow["language"];
  /** Null where none was recorded. */
  readonly section: string | null;
  readonly origin: Origin;
}

/** What an update would do to a database with these files, as its history stands. */
export interface Ahead {
  readonly table: HistoryTable;
  readonly history: History;
  /** The files up to the target. */
  readonly target: readonly MigrationFile[];
  readonly plan: Plan;
  /** What it would record as applied, if the database has what they build. */
  readonly adopting: readonly MigrationFile[];
  /** What it would apply. */
  readonly pending: readonly MigrationFile[];
  /** What it would revert, what was applied last first. */
  readonly downs: readonly RecordedDown[];
}

/** What `up` reverts: applied, not kept, and no part of the baseline. */
function leavingRows({ rows }: History, kept: ReadonlySet<string>): HistoryRow[] {
  return rows.filter(({ name, baseline, language }) => !baseline && language === "sql" && !kept.has(name));
}

/** The down scripts that an update would run, what was applied last first. */
export async function readDowns(
  client: pg.Client,
  table: HistoryTable,
  history: History,
  kept: ReadonlySet<string>,
): Promise<RecordedDown[]> {
  const downs: RecordedDown[] = [];
  for (const { name, language } of leavingRows(history, kept).toReversed()) {
    const section = (await readApplied(client, table, name))?.down ?? null;
    const origin = { label: `${name}, down script as recorded`, firstLine: 1 };
    downs.push({ name, language, section, origin });
  }
  return downs;
}

/** Reads the history, and what it means for the files. Throws RefusedError for a target or baseline that is not among them. */
export async function readAhead(
  client: pg.Client,
  settings: Pick<MigrationSettings, "directory" | "table" | "to" | "baseline" | "adopt">,
  files: readonly MigrationFile[],
): Promise<Ahead> {
  const table = historyTable(settings.table);
  const history = await readHistory(client, table);
  const target = keptFiles(files, history, settings);
  const kept = new Set(target.map(({ name }) => name));
  const plan = makePlan(files, history, kept, settings.baseline);
  const adopting = await adoptable(client, settings, files, history);
  const adopted = new Set(adopting.map(({ name }) => name));
  const pending = plan.pending.filter(({ name }) => !adopted.has(name));
  const downs = await readDowns(client, table, history, kept);
  return { table, history, target, plan, adopting, pending, downs };
}

/** Dangers in the scripts that `up` would run: those up of what is pending, and those down of what leaves. */
export async function lintScripts(
  client: pg.Client,
  pending: readonly MigrationFile[],
  downs: readonly RecordedDown[],
): Promise<Warning[]> {
  if (pending.length + downs.length === 0) return []; // the parser is loaded only where there is something to read
  const { lint, upOf } = await import("./lint/lint.ts");
  const ups = pending.filter(({ language }) => language === "sql").map(upOf);
  const recorded = downs.flatMap(({ name, section, origin }) =>
    section === null ? [] : [{ migration: name, section, origin, recorded: true }],
  );
  return lint(client, [...ups, ...recorded]);
}

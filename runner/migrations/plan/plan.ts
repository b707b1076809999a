import type pg from "pg";
import type { MigrationSettings } from "../../config/migrations.ts";
import { oneRow } from "../../postgres/rows.ts";
import { isNotSystemSchema } from "../../postgres/sql.ts";
import { sumOf } from "../files/checksum.ts";
import type { MigrationFile } from "../files/types.ts";
import { type History, type HistoryRow, historyTable } from "../history/history.ts";
import { isInBaseline } from "./manifest.ts";
import { compareNames } from "./order.ts";

/** How a migration stands in one database. */
export type State =
  | "applied"
  | "pending"
  /** Applied, and its file's up script says something else now. */
  | "edited"
  /** Applied, and there is no file. */
  | "unknown"
  /** Applied, without a file, and part of the baseline: history that nobody needs any more. */
  | "squashed"
  /** Not applied, though one with a newer revision is. */
  | "out of order"
  /** A `transaction=off` script that was stopped on its way. */
  | "partial"
  /** Applied, and newer than the target: to be reverted. */
  | "beyond target"
  /** Not applied, and newer than the target. */
  | "held back";

/** One migration of the files or of the database. */
export interface MigrationState {
  readonly name: string;
  readonly state: State;
  readonly file?: MigrationFile | undefined;
  readonly row?: HistoryRow | undefined;
}

/** What the files and a database make of each other. */
export interface Plan {
  /** Applied ones in the order of application, then the others in the order of revisions. */
  readonly states: readonly MigrationState[];
  /** To be applied, in order (out of order ones included). */
  readonly pending: readonly MigrationFile[];
  /** Applied ones whose down script alone has changed. */
  readonly newDowns: readonly MigrationFile[];
}

function stateOf(
  file: MigrationFile | undefined,
  row: HistoryRow | undefined,
  kept: boolean,
  newest: string | undefined,
  baseline: string | null,
): State {
  if (row === undefined || file === undefined) {
    if (file === undefined) return isInBaseline(row?.name ?? "", baseline) ? "squashed" : "unknown";
    if (!kept) return "held back";
    return newest !== undefined && compareNames(file.name, newest) < 0 ? "out of order" : "pending";
  }
  if (row.statementsDone !== null) return "partial";
  if (row.checksum !== file.checksum) return "edited";
  return kept ? "applied" : "beyond target";
}

/** The names of the files: applied ones in the order of application, then the rest in the order of revisions. */
export function sequenceOf(
  files: readonly MigrationFile[],
  history: { readonly rows: readonly { readonly name: string }[] },
): string[] {
  const known = new Set(files.map(({ name }) => name));
  const applied = history.rows.map(({ name }) => name).filter((name) => known.has(name));
  const done = new Set(applied);
  return [...applied, ...files.map(({ name }) => name).filter((name) => !done.has(name))];
}

/** The newest revision that counts for "out of order": applied, whole and kept. */
function newestApplied(history: History, kept: ReadonlySet<string>): string | undefined {
  return history.rows
    .map(({ name }) => name)
    .filter((name) => kept.has(name))
    .sort(compareNames)
    .at(-1);
}

/**
 * Compares files and history. Pure.
 * @param kept names of the files that the target keeps
 */
export function makePlan(
  files: readonly MigrationFile[],
  history: History,
  kept: ReadonlySet<string>,
  baseline: string | null,
): Plan {
  const sequence = sequenceOf(files, history);
  const byName = new Map(files.map((file) => [file.name, file]));
  const rows = new Map(history.rows.map((row) => [row.name, row]));
  const newest = newestApplied(history, kept);
  const names = [...history.rows.map(({ name }) => name), ...sequence.filter((name) => !rows.has(name))];
  const states = names.map((name): MigrationState => {
    const [file, row] = [byName.get(name), rows.get(name)];
    return { name, file, row, state: stateOf(file, row, kept.has(name), newest, baseline) };
  });
  const toRun: readonly State[] = ["pending", "out of order", "partial"];
  return {
    states,
    pending: states
      .filter(({ state, file }) => file !== undefined && toRun.includes(state))
      .map(({ file }) => file as MigrationFile)
      .sort((a, b) => compareNames(a.name, b.name)),
    newDowns: states
      .filter(({ state, file, row }) => state === "applied" && file !== undefined && differs(file, row))
      .map(({ file }) => file as MigrationFile),
  };
}

function differs(file: MigrationFile, row: HistoryRow | undefined): boolean {
  return row !== undefined && row.downSum !== (file.down === null ? null : sumOf(file.down));
}

/** Whether there is more in the database than the migrations' own history. */
async function holdsTables(client: pg.Client, history: string): Promise<boolean> {
  const { filled } = await oneRow<{ filled: boolean }>(
    client,
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p', 'v', 'm') AND ${isNotSystemSchema("n.nspname")}
         AND c.oid IS DISTINCT FROM pg_catalog.to_regclass($1)) AS filled`,
    [history],
  );
  return filled;
}

/**
 * The baseline's migrations where the settings ask to take over a database that may have their schema already: one that
 * holds tables, and has none of them recorded. An empty one is left to be migrated.
 */
export async function adoptable(
  client: pg.Client,
  settings: Pick<MigrationSettings, "adopt" | "baseline" | "table">,
  files: readonly MigrationFile[],
  { rows }: History,
): Promise<readonly MigrationFile[]> {
  if (!settings.adopt) return [];
  const done = new Set(rows.map(({ name }) => name));
  const baseline = files.filter(({ name }) => isInBaseline(name, settings.baseline));
  if (baseline.length === 0 || baseline.some(({ name }) => done.has(name))) return [];
  return (await holdsTables(client, historyTable(settings.table).sql)) ? baseline : [];
}

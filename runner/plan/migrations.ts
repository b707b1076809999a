import type pg from "pg";
import type { MigrationSettings } from "../config/migrations.ts";
import { lintScripts, type RecordedDown, readAhead } from "../migrations/ahead.ts";
import { readScript } from "../migrations/files/script.ts";
import type { MigrationFile } from "../migrations/files/types.ts";
import type { History } from "../migrations/history/history.ts";
import type { Warning } from "../migrations/lint/lint.ts";
import { missingRights } from "../migrations/lint/rights.ts";
import { type Finding, findingsOf } from "../migrations/plan/findings.ts";
import { keptFiles } from "../migrations/plan/target-revision.ts";
import { type Access, withSession } from "../migrations/run/session.ts";
import type { PlannedScript } from "./effects.ts";
import type { Plan, PlannedMigration, PlannedMigrations } from "./model.ts";
import type { TableToCome } from "./roles.ts";

/** The migrations' part of a plan. */
export interface MigrationsOutlook {
  readonly head: Plan["head"];
  readonly migrations: PlannedMigrations;
  readonly findings: readonly Finding[];
  /** Applied migrations that stay. */
  readonly kept: number;
  readonly history: History;
  /** Applied migrations that the update takes back. */
  readonly leaving: readonly string[];
  /** Tables and views that pending migrations make. */
  readonly toCome: readonly TableToCome[];
}

/** One direction of a migration, before its statements were read. */
interface Direction extends PlannedScript {
  readonly name: string;
  readonly language: PlannedMigration["language"];
  readonly reversible: boolean;
}

const upOf = ({ name, language, file, up, upLine, down }: MigrationFile): Direction => ({
  name,
  language,
  reversible: down !== null,
  section: up,
  origin: { label: file, firstLine: upLine },
});

const downOf = ({ name, language, section, origin }: RecordedDown): Direction => ({
  name,
  language,
  reversible: true,
  section: section ?? "",
  origin,
});

function plannedOf(
  { name, language, reversible, section, origin }: Direction,
  statements: PlannedMigration["statements"],
  warnings: readonly Warning[],
): PlannedMigration {
  return {
    name,
    file: origin.label,
    language,
    reversible,
    transaction: language !== "sql" || readScript(section, origin).options.transaction,
    sql: section.trim(),
    statements,
    warnings: warnings.filter((one) => one.migration === name).map(({ message }) => message),
  };
}

/** Reads statements of both directions together, since the catalog is asked once for all of them. */
async function readDirections(
  client: pg.Client,
  directions: readonly Direction[],
  warnings: readonly Warning[],
): Promise<{ planned: PlannedMigration[]; toCome: readonly TableToCome[] }> {
  if (directions.length === 0) return { planned: [], toCome: [] };
  const { readEffects } = await import("./effects.ts"); // brings PostgreSQL's parser with it
  const scripts = directions.filter(({ language }) => language === "sql");
  const { statements, toCome } = await readEffects(client, scripts);
  const planned = directions.map((one) => plannedOf(one, statements[scripts.indexOf(one)] ?? [], warnings));
  return { planned, toCome };
}

function headAfter(history: History, kept: ReadonlySet<string>, applied: readonly string[]): string | null {
  const staying = history.rows.map(({ name }) => name).filter((name) => kept.has(name));
  return [...staying, ...applied].at(-1) ?? null;
}

async function read(
  client: pg.Client,
  files: readonly MigrationFile[],
  settings: MigrationSettings,
): Promise<MigrationsOutlook> {
  const { history, target, plan, adopting, pending, downs } = await readAhead(client, settings, files);
  const kept = new Set(target.map(({ name }) => name));
  const adopt = adopting.map(({ name }) => name);
  const warnings = await lintScripts(client, pending, downs);
  const ups = pending.map(upOf);
  const { planned, toCome } = await readDirections(client, [...ups, ...downs.map(downOf)], warnings);
  return {
    head: {
      from: history.rows.at(-1)?.name ?? null,
      to: headAfter(history, kept, [...adopt, ...pending.map(({ name }) => name)]),
    },
    migrations: {
      apply: planned.slice(0, ups.length),
      revert: planned.slice(ups.length),
      adopt,
      heldBack: plan.states.filter(({ state }) => state === "held back").map(({ name }) => name),
      applied: history.rows.length,
    },
    findings: [...findingsOf(plan, settings, "any"), ...(await missingRights(client, pending))],
    kept: history.rows.length - downs.length,
    history,
    leaving: downs.map(({ name }) => name),
    toCome,
  };
}

/** What `up` would apply and revert, with what each statement means for the tables that exist. Reads only. */
export function readMigrationsOutlook(
  access: Access,
  files: readonly MigrationFile[],
  settings: MigrationSettings,
): Promise<MigrationsOutlook> {
  return withSession(access, ({ client }) => read(client, files, settings));
}

/** Statements of a script that meets no table. */
function statementsAlone({ language, section, origin }: Direction): PlannedMigration["statements"] {
  if (language !== "sql") return [];
  const { text, statements, placeOf } = readScript(section, origin);
  return statements.map(({ start, end }) => ({
    where: placeOf(start),
    sql: text.slice(start, end).trim(),
    effects: [],
    losses: [],
  }));
}

/** The same of a database that does not exist: every file is to come, and there is no table yet. */
export function outlookOfNothing(
  files: readonly MigrationFile[],
  settings: MigrationSettings,
): MigrationsOutlook {
  const history: History = { exists: false, token: null, rows: [] };
  const kept = keptFiles(files, history, settings);
  const names = new Set(kept.map(({ name }) => name));
  return {
    head: { from: null, to: kept.at(-1)?.name ?? null },
    migrations: {
      apply: kept.map(upOf).map((one) => plannedOf(one, statementsAlone(one), [])),
      revert: [],
      adopt: [],
      heldBack: files.map(({ name }) => name).filter((name) => !names.has(name)),
      applied: 0,
    },
    findings: [],
    kept: 0,
    history,
    leaving: [],
    toCome: [],
  };
}

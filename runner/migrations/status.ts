import type { MigrationSettings } from "../config/migrations.ts";
import { lintScripts, readDowns } from "./ahead.ts";
import type { MigrationFile } from "./files/types.ts";
import { historyTable, readHistory } from "./history/history.ts";
import type { Warning } from "./lint/lint.ts";
import { missingRights } from "./lint/rights.ts";
import { type Finding, findingsOf } from "./plan/findings.ts";
import { compareNames } from "./plan/order.ts";
import { type MigrationState, makePlan, type State } from "./plan/plan.ts";
import { keptFiles } from "./plan/target-revision.ts";
import { type Access, withSession } from "./run/session.ts";

/** One migration in a status. */
export interface StatusRow {
  readonly name: string;
  readonly state: State | "missing";
  readonly appliedAt?: string;
  readonly appliedBy?: string;
  readonly milliseconds?: number;
}

/** How a database and the files stand to each other. */
export interface Status {
  readonly database: string;
  readonly head: string | null;
  readonly applied: number;
  readonly pending: number;
  /** True where there is nothing to do, and nothing to look into. */
  readonly clean: boolean;
  readonly migrations: readonly StatusRow[];
  readonly findings: readonly Finding[];
  /** Dangers in what is pending, and in what leaves. */
  readonly warnings: readonly Warning[];
}

/** What a stack's last update left as applied. */
export interface Expected {
  readonly head: string | null;
}

const clean: readonly StatusRow["state"][] = ["applied", "squashed", "held back"];

function rowOf({ name, state, row }: MigrationState): StatusRow {
  if (row === undefined) return { name, state };
  const { appliedAt, appliedBy, milliseconds } = row;
  return { name, state, appliedAt: appliedAt.toISOString(), appliedBy, milliseconds };
}

/** Those that the stack says are applied, and the database lacks; the last of them may have no file either. */
function missingFrom(states: readonly MigrationState[], head: string | null | undefined): Set<string> {
  if (head == null || states.some(({ name, row }) => name === head && row !== undefined)) return new Set();
  const lost = states.filter(({ name, row }) => row === undefined && compareNames(name, head) < 0);
  return new Set([...lost.map(({ name }) => name), head]);
}

/** The rows of a status: every migration, and what is missing though no file tells of it. */
function rowsOf(states: readonly MigrationState[], missing: ReadonlySet<string>): StatusRow[] {
  const rows = states.map(rowOf);
  const listed = rows.map((row) => (missing.has(row.name) ? ({ ...row, state: "missing" } as const) : row));
  const names = new Set(rows.map(({ name }) => name));
  const unlisted = [...missing].filter((name) => !names.has(name));
  return [...listed, ...unlisted.map((name) => ({ name, state: "missing" }) as const)];
}

function missingFinding(missing: ReadonlySet<string>): Finding[] {
  if (missing.size === 0) return [];
  const message =
    `The stack's state says that these are applied, and the database lacks them (it was made again, or restored from an older dump): ` +
    `${[...missing].join(", ")}. ./pgstack up applies those that have a file.`;
  return [{ verdict: "note", message }];
}

/** Reads how things stand; changes nothing. */
export function readStatus(
  access: Access,
  files: readonly MigrationFile[],
  settings: MigrationSettings,
  expected?: Expected,
): Promise<Status> {
  return withSession(access, async ({ client }) => {
    const table = historyTable(settings.table);
    const history = await readHistory(client, table);
    const kept = new Set(keptFiles(files, history, settings).map(({ name }) => name));
    const plan = makePlan(files, history, kept, settings.baseline);
    const missing = missingFrom(plan.states, expected?.head);
    const migrations = rowsOf(plan.states, missing);
    return {
      database: access.owner.database,
      head: history.rows.at(-1)?.name ?? null,
      applied: history.rows.filter(({ statementsDone }) => statementsDone === null).length,
      pending: plan.pending.length,
      clean: migrations.every(({ state }) => clean.includes(state)),
      migrations,
      findings: [
        ...missingFinding(missing),
        ...findingsOf(plan, settings, new Set()),
        ...(await missingRights(client, plan.pending)),
      ],
      warnings: await lintScripts(client, plan.pending, await readDowns(client, table, history, kept)),
    };
  });
}

import { randomUUID } from "node:crypto";
import type pg from "pg";
import { isMissingDatabase } from "../postgres/connection.ts";
import { UserError } from "../util/errors.ts";
import type { MigrationFile } from "./files/types.ts";
import { type History, historyTable, readHistory } from "./history/history.ts";
import type { Warning } from "./lint/lint.ts";
import { type Finding, findingsOf } from "./plan/findings.ts";
import { adoptable, makePlan, type Plan } from "./plan/plan.ts";
import { keptFiles } from "./plan/target-revision.ts";
import { type Access, withSession } from "./run/session.ts";
import type { MigrationSettings } from "./settings.ts";

/** What a preview asks of the database. */
export interface CheckRequest {
  readonly settings: Pick<
    MigrationSettings,
    "directory" | "table" | "to" | "outOfOrder" | "baseline" | "adopt"
  >;
  /** As the preview has read them: to read them again would take longer than all else here. */
  readonly files: readonly MigrationFile[];
}

/** What the database says to a preview. */
export interface CheckResult {
  /** `absent`: the server knows no such database. `unreachable`: nobody knows. */
  readonly database: "read" | "absent" | "unreachable";
  /** Why it could not be read. */
  readonly reason?: string;
  /** Names of what is applied, in the order of application. */
  readonly applied: readonly string[];
  /** Names of what `up` would record as applied, if the database has what they build. */
  readonly adopting: readonly string[];
  /** Names of what `up` would apply. */
  readonly pending: readonly string[];
  /** Goes into the `migrations` resource: as long as nothing is missing it is what the last run left in the database. */
  readonly token: string;
  readonly findings: readonly Finding[];
  /** Dangers in what is pending. */
  readonly warnings: readonly Warning[];
}

/** Another each time as long as something is missing, so that the resource is updated though its manifest is as it was. */
function tokenOf(history: History, plan: Plan): string {
  return plan.pending.length === 0 ? (history.token ?? "") : randomUUID();
}

/** The parser is loaded only where there is something to read. */
export async function lintPending(client: pg.Client, pending: readonly MigrationFile[]): Promise<Warning[]> {
  return pending.length === 0 ? [] : (await import("./lint/lint.ts")).lint(client, pending);
}

async function check(client: pg.Client, { settings, files }: CheckRequest): Promise<CheckResult> {
  const history = await readHistory(client, historyTable(settings.table));
  const kept = new Set(keptFiles(files, history, settings).map(({ name }) => name));
  const plan = makePlan(files, history, kept, settings.baseline);
  const adopting = new Set((await adoptable(client, settings, files, history)).map(({ name }) => name));
  const pending = plan.pending.filter(({ name }) => !adopting.has(name));
  return {
    database: "read",
    applied: history.rows.map(({ name }) => name),
    adopting: [...adopting],
    pending: pending.map(({ name }) => name),
    token: tokenOf(history, plan),
    findings: findingsOf(plan, settings, "any"),
    warnings: await lintPending(client, pending),
  };
}

/** The database's part in a preview. A database that cannot be read is a result too; a wrong target throws RefusedError. */
export async function checkDatabase(access: Access, request: CheckRequest): Promise<CheckResult> {
  const nothing = { applied: [], adopting: [], pending: [], findings: [], warnings: [] };
  try {
    return await withSession(access, ({ client }) => check(client, request));
  } catch (error) {
    if (!(error instanceof UserError) || error.exitCode !== 1) throw error;
    return isMissingDatabase(error)
      ? { database: "absent", reason: error.message, token: randomUUID(), ...nothing }
      : { database: "unreachable", reason: error.message, token: "", ...nothing };
  }
}

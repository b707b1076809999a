import { randomUUID } from "node:crypto";
import type pg from "pg";
import type { MigrationSettings } from "../config/migrations.ts";
import { isMissingDatabase } from "../postgres/connection.ts";
import { UserError } from "../util/errors.ts";
import { refusalOf } from "./adopt-baseline.ts";
import { lintScripts, readAhead } from "./ahead.ts";
import { compareWithMigrations, NotFromEmptyError, readerOf, tryFromEmpty } from "./built-schema.ts";
import type { MigrationFile } from "./files/types.ts";
import type { History, HistoryTable } from "./history/history.ts";
import type { Warning } from "./lint/lint.ts";
import { missingRights } from "./lint/rights.ts";
import { type Finding, findingsOf } from "./plan/findings.ts";
import type { Plan } from "./plan/plan.ts";
import { type Access, withSession } from "./run/session.ts";

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
  /** Dangers in what is pending, and in what leaves. */
  readonly warnings: readonly Warning[];
}

/** Another each time as long as something is missing, so that the resource is updated though its manifest is as it was. */
function tokenOf(history: History, plan: Plan): string {
  return plan.pending.length === 0 ? (history.token ?? "") : randomUUID();
}

/**
 * What an update would refuse to record as applied: said before anything is changed. Where the schemas cannot be compared from here,
 * the update compares them.
 */
async function adoptionFindings(
  client: pg.Client,
  access: Access,
  table: HistoryTable,
  files: readonly MigrationFile[],
): Promise<Finding[]> {
  if (files.length === 0) return [];
  try {
    const reader = await readerOf(access);
    const migrated = { client, reader, table, called: "the migrations up to the baseline", log: () => {} };
    const { objects } = await compareWithMigrations(migrated, files);
    return objects.length === 0 ? [] : [{ verdict: "refuse", message: refusalOf(files, objects) }];
  } catch (error) {
    const { message, stderr } = error as { message: string; stderr?: string };
    const reason = stderr?.trim().split("\n")[0] || message;
    return [
      { verdict: "note", message: `The schema could not be compared with the baseline yet: ${reason}` },
    ];
  }
}

/**
 * Whether a database that is made from empty would take the migrations, where some are about to be applied after newer ones: these may
 * need what only a database has that has the newer ones already. Modules of TypeScript are not run by a preview.
 */
async function lateFindings(
  client: pg.Client,
  access: Access,
  { states }: Plan,
  files: readonly MigrationFile[],
): Promise<Finding[]> {
  if (!states.some(({ state }) => state === "out of order")) return [];
  if (files.some(({ language }) => language !== "sql")) return [];
  try {
    const reader = await readerOf(access);
    await tryFromEmpty({ client, reader, called: "all migrations", log: () => {} }, files);
    return [];
  } catch (error) {
    const { message } = error as Error;
    const said =
      error instanceof NotFromEmptyError
        ? "A database that is made from empty would stop at them"
        : "Whether a database that is made from empty takes them could not be tried";
    return [{ verdict: "note", message: `Migrations are applied after newer ones. ${said}: ${message}` }];
  }
}

async function check(
  client: pg.Client,
  access: Access,
  { settings, files }: CheckRequest,
): Promise<CheckResult> {
  const { table, history, target, plan, adopting, pending, downs } = await readAhead(client, settings, files);
  return {
    database: "read",
    applied: history.rows.map(({ name }) => name),
    adopting: adopting.map(({ name }) => name),
    pending: pending.map(({ name }) => name),
    token: tokenOf(history, plan),
    findings: [
      ...findingsOf(plan, settings, "any"),
      ...(settings.outOfOrder === "apply" ? await lateFindings(client, access, plan, target) : []),
      ...(await missingRights(client, pending)),
      ...(await adoptionFindings(client, access, table, adopting)),
    ],
    warnings: await lintScripts(client, pending, downs),
  };
}

/** The database's part in a preview. A database that cannot be read is a result too; a wrong target throws RefusedError. */
export async function checkDatabase(access: Access, request: CheckRequest): Promise<CheckResult> {
  const nothing = { applied: [], adopting: [], pending: [], findings: [], warnings: [] };
  try {
    return await withSession(access, ({ client }) => check(client, access, request));
  } catch (error) {
    if (!(error instanceof UserError) || error.exitCode !== 1) throw error;
    return isMissingDatabase(error)
      ? { database: "absent", reason: error.message, token: randomUUID(), ...nothing }
      : { database: "unreachable", reason: error.message, token: "", ...nothing };
  }
}

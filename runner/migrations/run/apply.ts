import type pg from "pg";
import type { MigrationSettings } from "../../config/migrations.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { meanwhile } from "../../util/background.ts";
import { RefusedError } from "../../util/errors.ts";
import type { MigrationFile } from "../files/types.ts";
import { ensureHistory, type History, historyTable, readHistory } from "../history/history.ts";
import { withMigrationLock } from "../history/lock.ts";
import { missingRights } from "../lint/rights.ts";
import { findingsOf, type Leaving } from "../plan/findings.ts";
import { isInBaseline } from "../plan/manifest.ts";
import { adoptable, makePlan, type Plan } from "../plan/plan.ts";
import type { Run } from "./job.ts";
import { StrayErrors } from "./module.ts";
import { type Access, withSession } from "./session.ts";

/** What to apply, and how. */
export interface ApplyRequest {
  readonly access: Access;
  /** They may be read while the connection is opened. */
  readonly files: readonly MigrationFile[] | Promise<readonly MigrationFile[]>;
  /** Names of the files that the target keeps, given what is applied. */
  readonly kept: (history: History, files: readonly MigrationFile[]) => ReadonlySet<string>;
  readonly settings: Omit<MigrationSettings, "to">;
  /** Applied ones that are about to be reverted by the end of their records. */
  readonly leaving: Leaving;
  readonly log: (line: string) => void;
  /** Records a baseline whose schema is there already; needed where `settings.adopt` may be true. */
  readonly adoptBaseline?: (run: Run, access: Access, files: readonly MigrationFile[]) => Promise<void>;
  /** Called within the lock when all is applied. */
  readonly afterwards?: (client: pg.Client, history: History) => Promise<void>;
}

/** What a run did. */
export interface ApplyResult {
  /** Applied by this run, in order. */
  readonly applied: readonly string[];
  readonly history: History;
}

function refuse(plan: Plan, request: ApplyRequest): void {
  const findings = findingsOf(plan, request.settings, request.leaving);
  for (const { verdict, message } of findings) if (verdict !== "refuse") request.log(message);
  const refusals = findings.filter(({ verdict }) => verdict === "refuse");
  if (refusals.length > 0)
    throw new RefusedError(`${refusals.map(({ message }) => message).join("\n")}\nNothing was run.`);
}

async function storeDowns(run: Run, files: readonly MigrationFile[]): Promise<void> {
  for (const { name, down } of files) {
    await run.session.client.query(`UPDATE ${run.table.sql} SET down = $2 WHERE name = $1`, [name, down]);
    run.log(`stored the new down script of ${name}`);
  }
}

/** Takes over a database that has the baseline's schema already; true where that recorded something. */
async function adopt(
  run: Run,
  { settings, access, adoptBaseline }: ApplyRequest,
  files: readonly MigrationFile[],
  history: History,
): Promise<boolean> {
  const found = await adoptable(run.session.client, settings, files, history);
  if (found.length === 0 || adoptBaseline === undefined) return false;
  await adoptBaseline(run, access, found);
  return true;
}

/** The record of a migration that becomes part of the baseline ends; the mark tells its end to revert nothing. */
async function markFolded({ session, table }: Run, baseline: string | null): Promise<void> {
  const rows = await rowsOf<{ name: string }>(session.client, `SELECT name FROM ${table.sql}`);
  const inBaseline = rows.map(({ name }) => name).filter((name) => isInBaseline(name, baseline));
  await session.client.query(
    `UPDATE ${table.sql} SET baseline = NOT baseline WHERE baseline <> (name = ANY ($1::text[]))`,
    [inBaseline],
  );
}

async function applyLocked(
  request: ApplyRequest,
  run: Run,
  files: readonly MigrationFile[],
): Promise<ApplyResult> {
  const { session, table } = run;
  const { kept, settings } = request;
  await ensureHistory(session.client, table);
  const found = await readHistory(session.client, table);
  const adopted = await adopt(run, request, files, found);
  const before = adopted ? await readHistory(session.client, table) : found;
  const keptNames = kept(before, files);
  const plan = makePlan(files, before, keptNames, settings.baseline);
  refuse(plan, request);
  for (const { message } of await missingRights(session.client, plan.pending)) request.log(message);
  if (plan.pending.length > 0) {
    const { applyPending } = await import("./umzug.ts"); // most runs find nothing to do, and Umzug is slow to load
    await applyPending(
      run,
      files.filter(({ name }) => keptNames.has(name)),
    );
  }
  await storeDowns(run, plan.newDowns);
  await markFolded(run, settings.baseline);
  const history = await readHistory(session.client, table);
  await request.afterwards?.(session.client, history);
  return { applied: plan.pending.map(({ name }) => name), history };
}

/** Applies everything pending up to the target, in order, under the lock. Throws RefusedError, MigrationFailure. */
export async function applyMigrations(request: ApplyRequest): Promise<ApplyResult> {
  const { access, settings, log } = request;
  const table = historyTable(settings.table);
  const reading = meanwhile(request.files);
  return withSession(access, async (session) => {
    const files = await reading;
    using strays = new StrayErrors();
    const run: Run = { session, table, settings, strays, log };
    return await withMigrationLock(session.client, table, log, () => applyLocked(request, run, files));
  });
}

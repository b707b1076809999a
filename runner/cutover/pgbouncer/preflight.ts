import { accessSync, constants, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type pg from "pg";
import { UserError } from "../../util/errors.ts";
import { joinIssues, type PreflightIssues } from "../preflight.ts";
import type { CutoverSettings, PgBouncer } from "../settings.ts";
import { type Entry, valuesOf } from "./config-file.ts";
import { leads, mayPause, showConfig, showDatabase, withConsole } from "./console.ts";
import { entriesOfSource } from "./entries.ts";
import { findLoginIssues } from "./logins.ts";

const none: PreflightIssues = { blocking: [], notes: [] };

/** A file is replaced by another that is renamed to it, so its folder counts too. */
function compareFile({ configFile }: PgBouncer): PreflightIssues {
  try {
    const file = realpathSync(configFile);
    accessSync(file, constants.R_OK | constants.W_OK);
    accessSync(dirname(file), constants.W_OK);
    return none;
  } catch (error) {
    const text = `PgBouncer's configuration cannot be rewritten: ${(error as Error).message}`;
    return { ...none, blocking: [text] };
  }
}

async function compareEntry(
  console: pg.Client,
  { name, text }: Entry,
  settings: Record<string, string | null>,
): Promise<PreflightIssues> {
  const shown = await showDatabase(console, name);
  if (!leads(shown, valuesOf(text))) {
    const where =
      shown === undefined ? "it knows no such database" : `it goes to ${shown.host}:${shown.port}`;
    return {
      ...none,
      blocking: [
        `PgBouncer does not lead "${name}" where cutover.pgbouncer.configFile says (${where}): it reads ` +
          `${settings.conffile}, or waits for a RELOAD`,
      ],
    };
  }
  const mode = valuesOf(text).pool_mode ?? settings.pool_mode;
  if (mode !== "session") return none;
  const note = `PgBouncer's pool_mode of "${name}" is session: its pause waits until every client has disconnected`;
  return { ...none, notes: [note] };
}

async function mayNotPause(
  console: pg.Client,
  [first]: readonly Entry[],
  user: string,
): Promise<PreflightIssues> {
  if (first === undefined || (await mayPause(console, first.name))) return none;
  return { ...none, blocking: [`user "${user}" may not pause PgBouncer: name it in admin_users`] };
}

/** Looks for what stands in the way of leading PgBouncer's clients to the target. It changes nothing. */
export async function findClientIssues(cutover: CutoverSettings): Promise<PreflightIssues> {
  const { pgbouncer } = cutover;
  if (pgbouncer === undefined) return none;
  try {
    const entries = await entriesOfSource(cutover, pgbouncer.configFile);
    return await withConsole(pgbouncer.admin, async (console) => {
      const settings = await showConfig(console);
      const parts = [
        compareFile(pgbouncer),
        await mayNotPause(console, entries, pgbouncer.admin.user),
        await findLoginIssues(cutover, entries, settings),
      ];
      for (const entry of entries) parts.push(await compareEntry(console, entry, settings));
      return joinIssues(parts);
    });
  } catch (error) {
    if (error instanceof UserError) return { ...none, blocking: [error.message] };
    throw error;
  }
}

/** A pause that takes longer than PgBouncer lets its clients wait. */
export async function findWaitIssues(
  { pgbouncer }: CutoverSettings,
  expectedSeconds: number,
): Promise<PreflightIssues> {
  if (pgbouncer === undefined) return none;
  return withConsole(pgbouncer.admin, async (console) => {
    const limit = Number((await showConfig(console)).query_wait_timeout);
    if (limit === 0 || limit > expectedSeconds) return none;
    const text =
      `PgBouncer ends clients that wait longer than query_wait_timeout (${limit} s), and a switch would take about ` +
      `${expectedSeconds} s: raise it`;
    return { ...none, blocking: [text] };
  }).catch(() => none); // whatever makes the console unreachable has been said
}

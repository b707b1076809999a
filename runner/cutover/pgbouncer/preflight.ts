import { accessSync, constants, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type pg from "pg";
import { UserError } from "../../util/errors.ts";
import { joinIssues, type PreflightIssues } from "../preflight.ts";
import type { CutoverSettings, PgBouncer } from "../settings.ts";
import { type Entry, valuesOf } from "./config-file.ts";
import { leads, mayPause, showConfig, showDatabase, showDatabases, withConsole } from "./console.ts";
import { entriesOfSource, fallbackToSource, isSourceServer } from "./entries.ts";
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

/**
 * Clients that reach the source by another name than those of the file's entries: by the fallback `*`, or by an entry of
 * an included file. They would stay at the frozen source.
 */
async function findOtherWays(
  console: pg.Client,
  settings: CutoverSettings,
  entries: readonly Entry[],
  configFile: string,
): Promise<PreflightIssues> {
  const redirected = new Set(entries.map(({ name }) => name));
  const blocking: string[] = [];
  for (const shown of await showDatabases(console)) {
    if (redirected.has(shown.name) || shown.database !== settings.source.database) continue;
    if (await isSourceServer({ host: shown.host || undefined, port: String(shown.port) }, settings.source))
      blocking.push(
        `PgBouncer leads clients of "${shown.name}" to the source by another line than those of ${configFile} (the fallback ` +
          `*, or an included file), so that they would stay there: give "${shown.name}" a line of its own in ${configFile}`,
      );
  }
  const rest = await fallbackToSource(settings, configFile);
  if (rest !== undefined)
    blocking.push(
      `PgBouncer's fallback "* = ${rest.text}" leads clients of any name to the source, so that they would stay there: give ` +
        "each name a line of its own, and take the fallback away",
    );
  return { ...none, blocking };
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
        await findOtherWays(console, cutover, entries, pgbouncer.configFile),
      ];
      for (const entry of entries) parts.push(await compareEntry(console, entry, settings));
      return joinIssues(parts);
    });
  } catch (error) {
    if (error instanceof UserError) return { ...none, blocking: [error.message] };
    throw error;
  }
}

type Config = Record<string, string | null>;

/** Whether PgBouncer asks the server for a client's verifier: such a login has to wait for the pause to end. */
const asksServer = (settings: Config, entries: readonly Entry[]) =>
  Boolean(settings.auth_user) || entries.some(({ text }) => valuesOf(text).auth_user !== undefined);

/** The limits of PgBouncer that a pause of so many seconds would exceed. */
function exceededLimits(settings: Config, entries: readonly Entry[], expectedSeconds: number): string[] {
  const exceeds = (name: string) => {
    const limit = Number(settings[name]);
    return limit !== 0 && limit <= expectedSeconds ? limit : undefined;
  };
  const [wait, login] = [exceeds("query_wait_timeout"), exceeds("client_login_timeout")];
  const took = `and a switch would take about ${expectedSeconds} s: raise it`;
  return [
    ...(wait === undefined
      ? []
      : [`PgBouncer ends clients that wait longer than query_wait_timeout (${wait} s), ${took}`]),
    ...(login === undefined || !asksServer(settings, entries)
      ? []
      : [
          `PgBouncer asks the server for passwords (auth_query), and ends clients whose login takes longer than ` +
            `client_login_timeout (${login} s), ${took}`,
        ]),
  ];
}

/** A pause that takes longer than PgBouncer lets its clients wait. */
export async function findWaitIssues(
  cutover: CutoverSettings,
  expectedSeconds: number,
): Promise<PreflightIssues> {
  const { pgbouncer } = cutover;
  if (pgbouncer === undefined) return none;
  return withConsole(pgbouncer.admin, async (console) => {
    const entries = await entriesOfSource(cutover, pgbouncer.configFile);
    return { ...none, blocking: exceededLimits(await showConfig(console), entries, expectedSeconds) };
  }).catch(() => none); // whatever makes the console unreachable has been said
}

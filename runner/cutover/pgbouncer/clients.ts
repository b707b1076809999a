import { RefusedError } from "../../util/errors.ts";
import type { CutoverSettings, PgBouncer } from "../settings.ts";
import { entryNamed, readConfig, redirectedTo, replaceConfig, withEntry } from "./config-file.ts";
import { pause, reload, resume, withConsole } from "./console.ts";
import { entriesOfSource } from "./entries.ts";
import { findClientIssues } from "./preflight.ts";
import {
  type RollbackFile,
  readRollbackFile,
  removeRollbackFile,
  rollbackFileTime,
  writeRollbackFile,
} from "./rollback-file.ts";

/** Clients of these databases of PgBouncer. */
export interface Clients {
  readonly databases: readonly string[];
}

/** For how long a pause waits for open transactions: new ones wait in the meantime. */
const pauseSeconds = 10;

/** What was noted, or is noted now, before anything is changed. Throws RefusedError for all that stands in the way. */
async function ensureRollbackFile(
  cutover: CutoverSettings,
  { configFile }: PgBouncer,
): Promise<RollbackFile> {
  const { stack, source } = cutover;
  const found = readRollbackFile(configFile, source.database);
  if (found?.holder === stack) return found;
  if (found !== undefined && !found.moved)
    throw new RefusedError(
      `PgBouncer is in the hands of the cutover of "${found.holder}": end that one first (finish it, or set its state to rehearse)`,
    );
  const { blocking } = await findClientIssues(cutover);
  if (blocking.length > 0)
    throw new RefusedError(`PgBouncer's clients cannot be led to the target:\n  ${blocking.join("\n  ")}`);
  const entries = await entriesOfSource(cutover, configFile);
  const note = { holder: stack, entries: entries.map(({ name, text }) => ({ name, text })), moved: false };
  writeRollbackFile(configFile, source.database, note);
  return note;
}

/**
 * Makes the clients wait, before the source is frozen. Throws UserError that names those who do not let go within
 * ten seconds; then all clients continue.
 */
export async function pauseClients(cutover: CutoverSettings, log: (line: string) => void): Promise<Clients> {
  const { pgbouncer } = cutover;
  if (pgbouncer === undefined) return { databases: [] };
  const { entries } = await ensureRollbackFile(cutover, pgbouncer);
  try {
    for (const { name } of entries) await pause(pgbouncer.admin, name, pauseSeconds);
  } catch (error) {
    await redirectClientsBack(cutover).catch((reason) => log(`warning: ${(reason as Error).message}`));
    throw error;
  }
  return { databases: entries.map(({ name }) => name) };
}

/** Writes each entry into the configuration, has it read, and lets the clients continue. */
async function lead(pgbouncer: PgBouncer, entries: RollbackFile["entries"]): Promise<void> {
  const before = readConfig(pgbouncer.configFile);
  const after = entries.reduce((file, { name, text }) => {
    const entry = entryNamed(file, name);
    if (entry !== undefined) return withEntry(file, entry, text);
    throw new RefusedError(`${pgbouncer.configFile} has no entry "${name}" in [databases] any more`);
  }, before);
  replaceConfig(pgbouncer.configFile, before, after);
  await withConsole(pgbouncer.admin, async (console) => {
    for (const entry of entries) await reload(console, entry);
    for (const { name } of entries) await resume(console, name);
  });
}

/** Sends the clients to the target, for good. Safe to repeat; a PgBouncer that another cutover moved on is left alone. */
export async function redirectClients(cutover: CutoverSettings): Promise<Clients> {
  const { pgbouncer, source, target, stack } = cutover;
  if (pgbouncer === undefined) return { databases: [] };
  const found = readRollbackFile(pgbouncer.configFile, source.database);
  if (found !== undefined && found.holder !== stack && found.moved) return { databases: [] };
  const note = await ensureRollbackFile(cutover, pgbouncer);
  writeRollbackFile(pgbouncer.configFile, source.database, { ...note, moved: true });
  await lead(
    pgbouncer,
    note.entries.map((entry) => ({ ...entry, text: redirectedTo(entry, target) })),
  );
  return { databases: note.entries.map(({ name }) => name) };
}

/** Gives the clients back to the source, where this stack's cutover holds them; every byte is as it was. */
export async function redirectClientsBack({ pgbouncer, source, stack }: CutoverSettings): Promise<boolean> {
  const note = pgbouncer && readRollbackFile(pgbouncer.configFile, source.database);
  if (pgbouncer === undefined || note?.holder !== stack) return false;
  await lead(pgbouncer, note.entries);
  removeRollbackFile(pgbouncer.configFile, source.database);
  return true;
}

/** Whether the clients have been sent to the target. */
export function clientsAreRedirected({ pgbouncer, source, stack }: CutoverSettings): boolean {
  const note = pgbouncer && readRollbackFile(pgbouncer.configFile, source.database);
  return note?.holder === stack && note.moved;
}

/** When clients were paused that are still to continue at the source, in milliseconds since 1970; undefined where none are. */
export function pausedSince({ pgbouncer, source, stack }: CutoverSettings): number | undefined {
  const note = pgbouncer && readRollbackFile(pgbouncer.configFile, source.database);
  if (pgbouncer === undefined || note?.holder !== stack || note.moved) return undefined;
  return rollbackFileTime(pgbouncer.configFile, source.database);
}

/** Notes that clients which were sent to the target are to come back: killed from here on, the next run sees it. */
export function markRedirectBack(cutover: CutoverSettings): void {
  const { pgbouncer, source } = cutover;
  const note = pgbouncer && readRollbackFile(pgbouncer.configFile, source.database);
  if (pgbouncer !== undefined && note !== undefined && clientsAreRedirected(cutover))
    writeRollbackFile(pgbouncer.configFile, source.database, { ...note, moved: false });
}

/** Removes the rollback file of clients that have been redirected to the target: they stay there. */
export function forgetRollback(cutover: CutoverSettings): void {
  const { pgbouncer, source } = cutover;
  if (pgbouncer !== undefined && clientsAreRedirected(cutover))
    removeRollbackFile(pgbouncer.configFile, source.database);
}

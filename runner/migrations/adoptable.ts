import type pg from "pg";
import { type History, historyTable } from "./history.ts";
import { isFolded } from "./manifest.ts";
import type { MigrationFile } from "./migration.ts";
import type { MigrationSettings } from "./settings.ts";

/** Whether there is more in the database than the migrations' own history. */
async function holdsTables(client: pg.Client, history: string): Promise<boolean> {
  const { rows } = await client.query<{ filled: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
         AND c.oid IS DISTINCT FROM pg_catalog.to_regclass($1)) AS filled`,
    [history],
  );
  return rows[0]?.filled === true;
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
  const folded = files.filter(({ name }) => isFolded(name, settings.baseline));
  if (folded.length === 0 || folded.some(({ name }) => done.has(name))) return [];
  return (await holdsTables(client, historyTable(settings.table).sql)) ? folded : [];
}

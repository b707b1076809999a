import { projectPath } from "../util/project.ts";
import { adoptBaseline } from "./adopt-baseline.ts";
import { readMigrations } from "./files/directory.ts";
import { type History, historyTable, keepTokenSql } from "./history/history.ts";
import { keptBy, type Manifest } from "./plan/manifest.ts";
import { applyMigrations } from "./run/apply.ts";
import { accessFromEnvironment } from "./run/session.ts";

/** What the stack's `migrations` resource keeps as its result: short, however many there are, since the state holds it. */
export interface StackResult {
  /** Migrations that are applied. */
  readonly count: number;
  /** The one applied last, of those that the stack keeps. */
  readonly head: string | null;
  /** Files that are not applied, since the target holds them back. */
  readonly pending: number;
}

function resultOf(history: History, kept: ReadonlySet<string>, files: number): StackResult {
  const applied = history.rows.filter(({ name }) => kept.has(name));
  return { count: applied.length, head: applied.at(-1)?.name ?? null, pending: files - applied.length };
}

/** Brings a database to what a stack's manifest asks for. Throws RefusedError, MigrationFailure. */
export async function applyManifest(
  manifest: Manifest,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<StackResult> {
  const files = await readMigrations(projectPath(manifest.directory), manifest.directory);
  const kept = keptBy(manifest, files);
  const token = env.PGSTACK_DRIFT ?? "";
  const { applied, history } = await applyMigrations({
    access: accessFromEnvironment(env),
    files,
    kept: () => kept,
    leaving: "any",
    settings: manifest,
    adoptBaseline,
    log,
    afterwards: async (client) => {
      await client.query(keepTokenSql(historyTable(manifest.table), token));
    },
  });
  const result = resultOf(history, kept, files.length);
  log(`${applied.length} applied now, ${result.count} in all, head ${result.head ?? "none"}`);
  return result;
}

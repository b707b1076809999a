import type pg from "pg";
import type { MigrationSettings } from "../config/migrations.ts";
import { archiveVersions, readContents, readTable } from "../dump/archive/read.ts";
import { readMigrations } from "../migrations/files/directory.ts";
import { historyTable } from "../migrations/history/history.ts";
import { keptFiles } from "../migrations/plan/target-revision.ts";
import { type ConnectionSettings, openClient } from "../postgres/connection.ts";
import type { Programs } from "../postgres/programs.ts";
import { projectPath } from "../util/project.ts";
import { asksFor, overwriteFlag, type RestoreSettings } from "./ensure.ts";
import { installedPgRestores, pgRestoreFor, refuseAll, refuseLoss, refuseUnfit } from "./preflight/checks.ts";
import { dataLossBy } from "./preflight/data-loss.ts";
import { refuseNoDump, refuseOtherDump } from "./preflight/dump-file.ts";
import { readScript } from "./preflight/prepare.ts";
import { inspectTarget } from "./preflight/target.ts";
import { recordedRestore } from "./record.ts";
import type { RestoreReport } from "./report.ts";
import { readingAs } from "./swap/memberships.ts";

/** What a preview asks of a restore to come. */
export interface RestoreCheckRequest {
  readonly restore: Omit<RestoreSettings, "jobs">;
  readonly migrations: Pick<MigrationSettings, "directory" | "table" | "to" | "baseline">;
}

/** What `up` would restore; undefined where it would not, or where nobody can say yet. */
export interface RestoreOutlook {
  /** Version of the server that was dumped. */
  readonly serverVersion: string;
  readonly tables: number;
  /** What the database loses. */
  readonly lost: readonly string[];
  /** Migrations that the dump lacks. */
  readonly missing: readonly string[];
}

/**
 * The restore's part in a preview: reads the dump's table of contents and the database, and changes nothing. A
 * database that is not there, is not known yet (undefined) or does not answer tells nothing of itself. Throws RefusedError for what
 * `up` would refuse, UserError for a dump that cannot be read.
 */
export async function checkRestore(
  target: ConnectionSettings | undefined,
  request: RestoreCheckRequest,
): Promise<RestoreOutlook | undefined> {
  const client = target && (await openClient(target).catch(() => undefined));
  if (client === undefined) {
    await refuseWrongDump(request.restore);
    return undefined;
  }
  try {
    return await outlook(client, request);
  } finally {
    await client.end().catch(() => {});
  }
}

async function outlook(
  client: pg.Client,
  { restore, migrations }: RestoreCheckRequest,
): Promise<RestoreOutlook | undefined> {
  const { from: path, owner, overwrite, sanitize } = restore;
  const recorded = await recordedRestore<RestoreReport>(client);
  if (recorded !== undefined && asksFor(restore, recorded)) return undefined;
  await refuseWrongDump(restore);
  await readScript(sanitize);
  const installed = await installedPgRestores();
  const versions = await archiveVersions(path, installed[0]);
  const facts = await inspectTarget(client, owner);
  const programs = pgRestoreFor(installed, versions, facts);
  const contents = await readContents(path, programs, () => 0);
  if (contents === undefined) return undefined;
  const lost = await readingAs(client, owner, () =>
    dataLossBy(contents, client, historyTable(migrations.table)),
  );
  await refuseAll(
    async () => facts.owner && refuseUnfit(facts, contents, client.user ?? "", owner), // the same update may make the owner
    async () => overwrite || refuseLoss(lost, client.database ?? "", overwriteFlag),
  );
  const tables = contents.entries.filter(({ type }) => type === "TABLE DATA").length;
  const missing = await missingMigrations(path, programs, migrations);
  return { serverVersion: versions.server, tables, lost, missing };
}

async function refuseWrongDump({ from, sha256 }: RestoreCheckRequest["restore"]): Promise<void> {
  await refuseNoDump(from);
  await refuseOtherDump(from, sha256);
}

async function missingMigrations(
  path: string,
  programs: Programs,
  settings: RestoreCheckRequest["migrations"],
): Promise<string[]> {
  const rows = await readTable(path, programs, historyTable(settings.table));
  const history = { rows: rows.map(({ name = "" }) => ({ name })) };
  const dumped = new Set(history.rows.map(({ name }) => name));
  const files = await readMigrations(projectPath(settings.directory), settings.directory);
  return keptFiles(files, history, settings)
    .map(({ name }) => name)
    .filter((name) => !dumped.has(name));
}

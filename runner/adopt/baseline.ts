import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { givenObjects, otherHistories } from "../migrations/built-schema.ts";
import { readMigrations } from "../migrations/files/directory.ts";
import { type ConnectionSettings, openClient, withClient } from "../postgres/connection.ts";
import { findServer } from "../postgres/embedded/server.ts";
import { readServerVersion } from "../postgres/server-version.ts";
import { autogenerate, type Revision } from "../revision/autogenerate.ts";
import { originOf } from "../revision/comparison.ts";
import { withScratchServer } from "../scratch/server.ts";
import { RefusedError } from "../util/errors.ts";

/** The folders of a project, as absolute paths. */
export interface BaselinePlace {
  readonly migrations: string;
  readonly models: string;
}

/** What was written of a live database. */
export interface Baseline {
  /** Names of the migrations, the last of which is the baseline; none where the database is empty. */
  readonly names: readonly string[];
  /** Path of the models; undefined where the project has some. */
  readonly models: string | undefined;
  /** A line for each thing of the database that no migration carries, or that a scratch copy shows otherwise. */
  readonly problems: readonly string[];
}

const hasModels = (directory: string) =>
  existsSync(directory) && readdirSync(directory).some((name) => /\.sql$|^models\.json$/.test(name));

/** The migrations that build what the database holds beyond its schemas and extensions, proved both ways on a scratch server. */
async function writeMigrations(
  settings: ConnectionSettings,
  given: readonly string[],
  directory: string,
  log: (line: string) => void,
): Promise<Revision> {
  const version = await withClient(settings, readServerVersion);
  const programs = await findServer(log, version);
  return withScratchServer({ programs }, async (opening) => {
    const scratch = await opening;
    const live = originOf(await openClient(settings), directory);
    if (!("live" in live)) throw new Error("expected the live database");
    const fill = async ({ client }: { client: { query(text: string): Promise<unknown> } }) => {
      for (const statement of given) await client.query(statement);
    };
    const request = { ...scratch, ignore: otherHistories, renames: [], origin: { fill }, models: live };
    return autogenerate(request, { directory, description: "baseline", now: new Date() });
  });
}

const header =
  "-- The schema as it was when the database was adopted. Change it here; ./pgstack revision writes the migration.";

function withoutMarker(script: string): string {
  return script.replace(/^-- migrate: up.*\n/, "").trim();
}

/**
 * Writes a baseline, and models where the project has none, of a database as it is. Only catalogs are read.
 *
 * @throws RefusedError where the project has migrations
 */
export async function writeBaseline(
  settings: ConnectionSettings,
  { migrations, models }: BaselinePlace,
  log: (line: string) => void,
): Promise<Baseline> {
  mkdirSync(migrations, { recursive: true });
  if ((await readMigrations(migrations, migrations)).length > 0)
    throw new RefusedError(`Expected no migrations in ${migrations}, found some: a baseline is the first.`);
  const given = await withClient(settings, givenObjects);
  const { files, problems } = await writeMigrations(settings, given, migrations, log);
  const written = await readMigrations(migrations, migrations);
  if (files.length === 0) return { names: [], models: undefined, problems };
  const names = files.map((file) => basename(file, ".sql"));
  if (hasModels(models)) return { names, models: undefined, problems };
  const path = join(models, "10_schema.sql");
  mkdirSync(models, { recursive: true });
  const parts = [
    header,
    given.map((sql) => `${sql};`).join("\n"),
    ...written.map(({ up }) => withoutMarker(up)),
  ];
  writeFileSync(path, `${parts.filter((part) => part !== "").join("\n\n")}\n`, { flag: "wx" });
  return { names, models: path, problems };
}

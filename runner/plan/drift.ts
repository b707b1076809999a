import type pg from "pg";
import { parseValues, type StackConfig } from "../config/parse.ts";
import { rightsCheckOf } from "../config/rights-check.ts";
import { compareWithMigrations, readerOf } from "../migrations/built-schema.ts";
import { readMigrations } from "../migrations/files/directory.ts";
import type { MigrationFile } from "../migrations/files/types.ts";
import { type HistoryTable, historyTable, readHistory } from "../migrations/history/history.ts";
import { makePlan } from "../migrations/plan/plan.ts";
import { withSession } from "../migrations/run/session.ts";
import { withClient } from "../postgres/connection.ts";
import { rowsOf } from "../postgres/rows.ts";
import { readServerVersion } from "../postgres/server-version.ts";
import { isNotOfExtension, isUserSchema } from "../postgres/sql.ts";
import { checkRights } from "../roles/review/preview.ts";
import { RefusedError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";
import { type Drift, type DriftReport, planVersion } from "./model.ts";
import type { PlanInput } from "./plan.ts";
import { publicDrift, rightsDrift } from "./roles.ts";
import { readReviews, type Ways, waysOf } from "./ways.ts";

/** Indexes that the server does not use: a CREATE INDEX CONCURRENTLY that failed. One that is being built is none. */
const invalidIndexesQuery = `
  SELECT n.nspname || '.' || c.relname AS index, t.relname AS table FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT i.indisvalid AND c.relkind = 'i' AND ${isUserSchema("n.nspname")} AND ${isNotOfExtension("pg_class", "c.oid")}
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) ORDER BY 1`;

async function invalidIndexes(client: pg.Client): Promise<Drift[]> {
  const rows = await rowsOf<{ index: string; table: string }>(client, invalidIndexesQuery);
  return rows.map(({ index, table }) => ({
    kind: "index",
    subject: index,
    becomes: null,
    found: `invalid, so that no query of ${table} uses it: drop it, or REINDEX INDEX CONCURRENTLY`,
  }));
}

async function oldExtensions(client: pg.Client): Promise<Drift[]> {
  const rows = await rowsOf<{ name: string; version: string; newest: string }>(
    client,
    `SELECT e.extname AS name, e.extversion AS version, a.default_version AS newest FROM pg_catalog.pg_extension e
       JOIN pg_catalog.pg_available_extensions a ON a.name = e.extname WHERE e.extversion <> a.default_version ORDER BY 1`,
  );
  return rows.map(({ name, version, newest }) => ({
    kind: "extension",
    subject: name,
    becomes: null,
    found: `version ${version}, and the server has ${newest}: ALTER EXTENSION … UPDATE in a migration`,
  }));
}

const strange: Readonly<Record<string, string>> = {
  unknown: "applied, and not among the files",
  edited: "applied, and its file says something else now",
};

/** History rows that the files do not explain. */
async function oddHistory(
  client: pg.Client,
  table: HistoryTable,
  files: readonly MigrationFile[],
  baseline: string | null,
): Promise<Drift[]> {
  const history = await readHistory(client, table);
  const { states } = makePlan(files, history, new Set(files.map(({ name }) => name)), baseline);
  return states.flatMap(({ name, state }): Drift[] => {
    const found = strange[state];
    return found === undefined ? [] : [{ kind: "history", subject: name, found, becomes: null }];
  });
}

/** The applied migrations as the database holds them, whole ones only. */
function appliedFiles(client: pg.Client, { sql }: HistoryTable): Promise<MigrationFile[]> {
  return rowsOf<MigrationFile>(
    client,
    `SELECT name, language, up, down, checksum, name AS file, 1 AS "upLine", 1 AS "downLine"
       FROM ${sql} WHERE statements_done IS NULL ORDER BY position`,
  );
}

/** The schema and the database's settings, against what the applied migrations build from empty. */
async function schemaDrift(
  client: pg.Client,
  { access }: Ways,
  table: HistoryTable,
  log: (line: string) => void,
): Promise<Drift[]> {
  const { exists } = await readHistory(client, table);
  if (!exists) return [];
  const files = await appliedFiles(client, table);
  const migrated = { client, reader: await readerOf(access), table, called: "the applied migrations", log };
  const { objects, settings } = await compareWithMigrations(migrated, files);
  const drift = (kind: "schema" | "setting", subject: string) => (found: string) =>
    ({ kind, subject, found, becomes: null }) as const;
  return [
    ...objects.map(drift("schema", "schema")),
    ...settings.map(drift("setting", access.owner.database)),
  ];
}

async function inDatabase(
  ways: Ways,
  { migrations }: StackConfig,
  log: (line: string) => void,
): Promise<Drift[]> {
  const table = historyTable(migrations.table);
  const files = await readMigrations(projectPath(migrations.directory), migrations.directory);
  return withSession(ways.access, async ({ client }) => [
    ...(await schemaDrift(client, ways, table, log)),
    ...(await invalidIndexes(client)),
    ...(await oldExtensions(client)),
    ...(await oddHistory(client, table, files, migrations.baseline)),
  ]);
}

/** Rights, attributes and settings of roles, against what the last update declared. */
async function ofRoles(
  ways: Ways,
  { recorded }: Pick<PlanInput, "recorded">,
  config: StackConfig,
): Promise<Drift[]> {
  const request = rightsCheckOf(config);
  const rights = recorded.rights ?? request.rights;
  const [{ next }, check] = await Promise.all([
    readReviews(ways, rights, undefined),
    checkRights(ways.admin, { ...request, rights }),
  ]);
  const found = next?.differences ?? [];
  return [...publicDrift(check.statements), ...rightsDrift(found, found)];
}

/**
 * What is not as it was declared on a stack's server: schema, rights, attributes, settings, indexes, extensions, history. Reads
 * only; the schema is built a second time, on a scratch server. Throws RefusedError for a stack that has no database yet,
 * UserError where the database does not answer.
 */
export async function readDrift(
  input: Omit<PlanInput, "engine">,
  log: (line: string) => void,
): Promise<DriftReport> {
  const { facts, now } = input;
  const config = parseValues(facts.config);
  const ways = facts.outputs.database === undefined ? undefined : waysOf(facts, config);
  if (ways === undefined)
    throw new RefusedError(`Stack "${facts.name}" has no database yet: run ./pgstack up ${facts.name} first`);
  const { host, port } = ways.admin;
  const version = await withClient(ways.admin, async (client) => (await readServerVersion(client)).text);
  const [roles, database] = await Promise.all([ofRoles(ways, input, config), inDatabase(ways, config, log)]);
  return {
    version: planVersion,
    stack: facts.name,
    madeAt: now.toISOString(),
    server: { database: config.database.name, host, port, version, state: "read", reason: null },
    drift: [...roles, ...database],
  };
}

import type pg from "pg";
import { defaultSettings } from "../config/migrations.ts";
import { readMigrations } from "../migrations/files/directory.ts";
import { catalogSettings } from "../postgres/catalog-lock.ts";
import type { ConnectionSettings } from "../postgres/connection.ts";
import { oneRow } from "../postgres/rows.ts";
import { readEffectiveRoles } from "../roles/catalog/effective-rights.ts";
import { readObjects } from "../roles/catalog/objects.ts";
import { readSettingsWithUnit } from "../roles/review/provider-check.ts";
import { RefusedError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";
import { findDatabase } from "./found.ts";
import type { Findings } from "./proposal.ts";
import { findVersionTables, reachedBy, type VersionTable } from "./version-tables.ts";

async function readFacts(client: pg.Client) {
  return oneRow<{
    administers: boolean;
    database: string;
    ssl: boolean;
    postgres: boolean;
    recorded: boolean;
  }>(
    client,
    `SELECT r.rolsuper OR (r.rolcreaterole AND r.rolcreatedb) AS administers, current_database() AS database,
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS ssl,
       EXISTS (SELECT FROM pg_database WHERE datname = 'postgres' AND has_database_privilege(oid, 'CONNECT')) AS postgres,
       to_regclass('pgstack.migrations') IS NOT NULL AS recorded
     FROM pg_roles r WHERE r.rolname = current_user`,
  );
}

function checkFacts(facts: { administers: boolean; database: string }, { user }: ConnectionSettings): void {
  if (!facts.administers)
    throw new RefusedError(
      `--url takes the user who administers the server (a superuser, or one with CREATEROLE and CREATEDB); "${user}" is neither`,
    );
  if (["postgres", "template1"].includes(facts.database))
    throw new RefusedError(`--url takes the application's database, found "${facts.database}"`);
}

/**
 * The migration up to which the database has the schema, where it has objects and no history of ours: the one that another tool's
 * history names, or else the project's newest.
 */
async function baselineOf(
  recorded: boolean,
  tables: number,
  versionTables: readonly VersionTable[],
): Promise<string | undefined> {
  if (recorded || tables === 0) return undefined;
  const { directory } = defaultSettings;
  const files = await readMigrations(projectPath(directory), directory);
  const names = files.map(({ name }) => name);
  return reachedBy(versionTables, names) ?? names.at(-1);
}

/**
 * Reads what a stack needs to know of an instance to take a database over, in one transaction that only reads.
 * Throws RefusedError where the user does not administer the server.
 */
export async function readInstance(client: pg.Client, settings: ConnectionSettings): Promise<Findings> {
  await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${catalogSettings}`);
  const facts = await readFacts(client);
  checkFacts(facts, settings);
  const { database, roles } = await findDatabase(client);
  const objects = await readObjects(client, { allColumns: true });
  const effective = (await readEffectiveRoles(client, [], objects)).filter(({ onDatabase }) =>
    onDatabase.includes("CONNECT"),
  );
  await client.query("COMMIT");
  const timeouts = await readSettingsWithUnit(
    client,
    roles.map(({ name }) => name),
  );
  const versionTables = await findVersionTables(client);
  const { host, port, user, sslMode, sslRootCert } = settings;
  return {
    instance: {
      kind: "existing",
      host,
      port,
      adminUser: user,
      adminDatabase: facts.postgres ? "postgres" : database.name,
      sslMode: sslMode === "prefer" ? (facts.ssl ? "require" : "disable") : sslMode,
      ...(sslRootCert !== undefined && { sslRootCert }),
    },
    database,
    roles,
    objects,
    effective,
    versionTables,
    timeouts,
    recorded: facts.recorded,
    baseline: await baselineOf(facts.recorded, database.tables, versionTables),
  };
}

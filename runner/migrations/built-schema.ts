import type pg from "pg";
import { defaultSettings } from "../config/migrations.ts";
import { type ConnectionSettings, withClient } from "../postgres/connection.ts";
import { findServer } from "../postgres/embedded/server.ts";
import type { Programs } from "../postgres/programs.ts";
import { oneRow, rowsOf } from "../postgres/rows.ts";
import { readServerVersion } from "../postgres/server-version.ts";
import { identifier, isNotPredefinedRole, isUserSchema } from "../postgres/sql.ts";
import { type DumpedSchema, dumpDifferences, dumpSchema } from "../scratch/schema-dump.ts";
import { type ScratchServer, withScratchServer } from "../scratch/server.ts";
import { UserError } from "../util/errors.ts";
import type { MigrationFile } from "./files/types.ts";
import type { HistoryTable } from "./history/history.ts";
import { applyMigrations } from "./run/apply.ts";
import type { Access } from "./run/session.ts";

/** Histories that other tools keep in the database itself; they are no part of the schema. */
export const otherHistories = [
  ...["alembic_version", "flyway_schema_history", "schema_migrations", "pgmigrations*", "knex_migrations*"],
  ...[
    "SequelizeMeta",
    "_prisma_migrations",
    "django_migrations*",
    "databasechangelog*",
    "atlas_schema_revisions",
  ],
];

/** Roles, which a stack makes beside the migrations. */
const givenRoles = `SELECT pg_catalog.format('CREATE ROLE %I', rolname) AS sql FROM pg_catalog.pg_roles
  WHERE ${isNotPredefinedRole("rolname")} AND rolname <> 'postgres'`;

/** Schemas and extensions, which migrations take as given too. */
const givens = `
  SELECT pg_catalog.format('CREATE SCHEMA %I', nspname) AS sql, 2 AS step FROM pg_catalog.pg_namespace
   WHERE ${isUserSchema("nspname")} AND nspname <> 'public'
  UNION ALL
  SELECT pg_catalog.format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA %I', extname, nspname), 3
    FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace
  ORDER BY step, sql`;

/** The statements that make what a stack declares of a live database, and its migrations take as given: schemas and extensions. */
export async function givenObjects(live: pg.Client): Promise<string[]> {
  return (await rowsOf<{ sql: string }>(live, givens)).map(({ sql }) => sql);
}

async function programsFor(client: pg.Client, log: (line: string) => void): Promise<Programs> {
  return findServer(log, await readServerVersion(client));
}

/**
 * An empty database that has the real one's name, which migrations may use (ALTER DATABASE, GRANT ON DATABASE). The server is ours
 * alone.
 */
async function scratchDatabase({ database }: ScratchServer, name: string): Promise<ConnectionSettings> {
  const [first, second] = [await database(), await database()];
  if (first.database === name) return first;
  const rename = `ALTER DATABASE ${identifier(second.database)} RENAME TO ${identifier(name)}`;
  await withClient(first, (client) => client.query(rename));
  return { ...second, database: name };
}

/** Migrations fail on a scratch database, which is empty. */
export class NotFromEmptyError extends UserError {}

function explainScratch(error: unknown, called: string): never {
  if (!(error instanceof UserError)) throw error;
  throw new NotFromEmptyError(
    `On the scratch server, where ${called} are built from empty: ${error.message}`,
    {
      cause: error,
    },
  );
}

async function buildOn(
  scratch: ConnectionSettings,
  live: pg.Client,
  files: readonly MigrationFile[],
): Promise<void> {
  const roles = await rowsOf<{ sql: string }>(live, givenRoles);
  const objects = await givenObjects(live);
  await withClient(scratch, async (client) => {
    for (const sql of [...roles.map(({ sql }) => sql), ...objects]) await client.query(sql);
  });
  await applyMigrations({
    access: { owner: scratch },
    files,
    kept: () => new Set(files.map(({ name }) => name)),
    settings: defaultSettings,
    leaving: new Set(),
    log: () => {},
  });
}

/** The schemas themselves are the stack's matter: of `public`, pg_dump tells only once somebody has it for his own. */
function withoutSchemas(dump: DumpedSchema): DumpedSchema {
  return new Map([...dump].filter(([key]) => !/^SCHEMA\t|\tSCHEMA [^\t]*$/.test(key)));
}

/** A database that migrations have made, as far as a comparison needs it. */
export interface Migrated {
  /** A session in it. */
  readonly client: pg.Client;
  /** Whoever reads its whole schema: `readerOf`. */
  readonly reader: ConnectionSettings;
  readonly table: HistoryTable;
  /** What a message calls the migrations, such as "the applied migrations". */
  readonly called: string;
  readonly log: (line: string) => void;
}

/** A line for each object, and for each of the database's own settings, that is not as migrations build it. */
export interface SchemaDifferences {
  readonly objects: readonly string[];
  readonly settings: readonly string[];
}

/** The database's own settings (ALTER DATABASE … SET), such as `search_path=app`. */
async function databaseSettings(client: pg.Client): Promise<string[]> {
  const rows = await rowsOf<{ setting: string }>(
    client,
    `SELECT pg_catalog.unnest(s.setconfig) AS setting FROM pg_catalog.pg_db_role_setting s
       JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
      WHERE d.datname = pg_catalog.current_database() AND s.setrole = 0 ORDER BY 1`,
  );
  return rows.map(({ setting }) => setting);
}

async function settingDifferences(live: pg.Client, scratch: ConnectionSettings): Promise<string[]> {
  const [found, expected] = [await databaseSettings(live), await withClient(scratch, databaseSettings)];
  return [
    ...expected.filter((one) => !found.includes(one)).map((one) => `${one} is missing`),
    ...found.filter((one) => !expected.includes(one)).map((one) => `unexpected ${one}`),
  ];
}

/** Lends a scratch database of the server's version in which migrations were applied. Throws NotFromEmptyError where one fails. */
async function withBuilt<T>(
  { client, reader, called, log }: Omit<Migrated, "table">,
  files: readonly MigrationFile[],
  use: (scratch: ConnectionSettings, programs: Programs) => Promise<T>,
): Promise<T> {
  const programs = await programsFor(client, log);
  return withScratchServer({ programs }, async (opening) => {
    const { server } = await opening;
    const scratch = await scratchDatabase(server, reader.database);
    await buildOn(scratch, client, files).catch((error: unknown) => explainScratch(error, called));
    return use(scratch, programs);
  });
}

/** Applies migrations to an empty scratch database. Throws NotFromEmptyError where one of them fails. */
export const tryFromEmpty = (
  migrated: Omit<Migrated, "table">,
  files: readonly MigrationFile[],
): Promise<void> => withBuilt(migrated, files, async () => {});

/**
 * Builds migrations from empty on a scratch server of the same version, and compares the two schemas. Throws UserError where
 * they cannot be built.
 */
export async function compareWithMigrations(
  migrated: Migrated,
  files: readonly MigrationFile[],
): Promise<SchemaDifferences> {
  const { client, reader, table } = migrated;
  const ignore = [...otherHistories, `${table.schema}.${table.table}*`];
  return withBuilt(migrated, files, async (scratch, programs) => {
    const [found = new Map(), expected = new Map()] = await Promise.all(
      [reader, scratch].map(async (settings) => withoutSchemas(await dumpSchema(programs, settings, ignore))),
    );
    return {
      objects: dumpDifferences(found, expected),
      settings: await settingDifferences(client, scratch),
    };
  });
}

/**
 * Who can read the whole schema: pg_dump locks each table, which takes a right to it, and a superuser may own some. An
 * adopted owner's password may be known to nobody.
 */
export async function readerOf({ owner, admin }: Access): Promise<ConnectionSettings> {
  if (admin === undefined) return owner;
  if (!owner.password) return admin;
  return withClient(admin, async (client) => {
    const { superuser } = await oneRow<{ superuser: boolean }>(
      client,
      "SELECT rolsuper AS superuser FROM pg_catalog.pg_roles WHERE rolname = current_user",
    );
    return superuser ? admin : owner;
  });
}

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
import { RefusedError, UserError } from "../util/errors.ts";
import type { MigrationFile } from "./files/types.ts";
import { insertSql, noTime } from "./history/history.ts";
import { applyMigrations } from "./run/apply.ts";
import type { Run } from "./run/job.ts";
import type { Access } from "./run/session.ts";

/** Histories that other tools keep in the database itself; they are no part of the schema. */
const otherHistories = [
  ...["alembic_version", "flyway_schema_history", "schema_migrations", "pgmigrations*", "knex_migrations*"],
  ...[
    "SequelizeMeta",
    "_prisma_migrations",
    "django_migrations*",
    "databasechangelog*",
    "atlas_schema_revisions",
  ],
];

/** What a stack makes beside the migrations, and they take as given. */
const givens = `
  SELECT pg_catalog.format('CREATE ROLE %I', rolname) AS sql, 1 AS step FROM pg_catalog.pg_roles WHERE ${isNotPredefinedRole("rolname")} AND rolname <> 'postgres'
  UNION ALL
  SELECT pg_catalog.format('CREATE SCHEMA %I', nspname), 2 FROM pg_catalog.pg_namespace
   WHERE ${isUserSchema("nspname")} AND nspname <> 'public'
  UNION ALL
  SELECT pg_catalog.format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA %I', extname, nspname), 3
    FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace
  ORDER BY step`;

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

function explainScratch(error: unknown): never {
  if (!(error instanceof UserError)) throw error;
  throw new UserError(
    `On the scratch server, where the migrations up to the baseline are built from empty: ${error.message}`,
    { cause: error },
  );
}

async function buildOn(
  scratch: ConnectionSettings,
  live: pg.Client,
  files: readonly MigrationFile[],
): Promise<void> {
  const rows = await rowsOf<{ sql: string }>(live, givens);
  await withClient(scratch, async (client) => {
    for (const { sql } of rows) await client.query(sql);
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

async function differences(
  run: Run,
  live: ConnectionSettings,
  files: readonly MigrationFile[],
): Promise<string[]> {
  const { client } = run.session;
  const programs = await programsFor(client, run.log);
  const ignore = [...otherHistories, `${run.table.schema}.${run.table.table}*`];
  return withScratchServer({ programs }, async (opening) => {
    const { server } = await opening;
    const scratch = await scratchDatabase(server, live.database);
    await buildOn(scratch, client, files).catch(explainScratch);
    const [found, expected] = await Promise.all(
      [live, scratch].map(async (settings) => withoutSchemas(await dumpSchema(programs, settings, ignore))),
    );
    return found === undefined || expected === undefined ? [] : dumpDifferences(found, expected);
  });
}

/**
 * Who can read the whole schema: pg_dump locks each table, which takes a right to it, and a superuser may own some. An
 * adopted owner's password may be known to nobody.
 */
async function readerOf({ owner, admin }: Access): Promise<ConnectionSettings> {
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

/**
 * Records the baseline's migrations as applied on a database that has their schema already, after building them on a
 * scratch server and comparing the two.
 * Throws RefusedError that lists the differences.
 */
export async function adoptBaseline(
  run: Run,
  access: Access,
  files: readonly MigrationFile[],
): Promise<void> {
  const { client } = run.session;
  run.log(`comparing the schema with what ${files.length} migrations up to the baseline build`);
  const found = await differences(run, await readerOf(access), files);
  if (found.length > 0)
    throw new RefusedError(
      `The database cannot be adopted: its schema is not what the migrations up to ${files.at(-1)?.name} build:\n  ` +
        `${found.join("\n  ")}\nChange the baseline's files, or the database, until they agree. Nothing was recorded.`,
    );
  const rows = files.map((file) => insertSql(run.table, file, { duration: noTime, baseline: true }));
  await client.query(`BEGIN; ${rows.join("; ")}; COMMIT`);
  run.log(`recorded ${files.length} migrations as applied`);
}

import type pg from "pg";
import { maybeRow, rowsOf } from "../postgres/rows.ts";
import { identifier, isNotSystemSchema } from "../postgres/sql.ts";

interface HistoryColumns {
  readonly tool: string;
  /** The column that names a migration. */
  readonly newest: string;
  /** SQL of the order of application, newest first, where the greatest text is not the newest. */
  readonly order?: string;
}

/** The tables in which other tools keep what they applied, and the column that says how far they are. */
const tables: Readonly<Record<string, HistoryColumns>> = {
  alembic_version: { tool: "Alembic", newest: "version_num" },
  schema_migrations: { tool: "dbmate, Rails or golang-migrate", newest: "version" },
  flyway_schema_history: {
    tool: "Flyway",
    newest: "version",
    order: "version IS NULL, installed_rank DESC",
  },
  __diesel_schema_migrations: { tool: "Diesel", newest: "version" },
  databasechangelog: { tool: "Liquibase", newest: "id" },
  _prisma_migrations: {
    tool: "Prisma",
    newest: "migration_name",
    order: "finished_at IS NULL, rolled_back_at IS NOT NULL, migration_name DESC",
  },
  knex_migrations: { tool: "Knex", newest: "name", order: "id DESC" },
  SequelizeMeta: { tool: "Sequelize or Umzug", newest: "name" },
  django_migrations: { tool: "Django", newest: "name" },
  goose_db_version: { tool: "goose", newest: "version_id" },
  pgmigrations: { tool: "node-pg-migrate", newest: "name", order: "id DESC" },
  __drizzle_migrations: { tool: "Drizzle", newest: "hash" },
  __EFMigrationsHistory: { tool: "Entity Framework", newest: "MigrationId" },
};

/** A version table of another tool, and where it stands. */
export interface VersionTable {
  readonly table: string;
  readonly tool: string;
  /** Its newest entry; undefined where it holds none, or may not be read. */
  readonly version: string | undefined;
}

async function newestIn(
  client: pg.Client,
  name: string,
  { newest, order }: HistoryColumns,
): Promise<string | undefined> {
  const column = `${identifier(newest)}::text`;
  const sql = `SELECT ${column} AS newest FROM ${name} ORDER BY ${order ?? `${column} DESC NULLS LAST`} LIMIT 1`;
  return maybeRow<{ newest: string | null }>(client, sql).then(
    (row) => row?.newest ?? undefined,
    () => undefined,
  );
}

/** Every version table of a known tool in the connected database. */
export async function findVersionTables(client: pg.Client): Promise<VersionTable[]> {
  const rows = await rowsOf<{ schema: string; name: string }>(
    client,
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relname = ANY($1) AND ${isNotSystemSchema("n.nspname")} ORDER BY 1, 2`,
    [Object.keys(tables)],
  );
  const found: VersionTable[] = [];
  for (const { schema, name } of rows) {
    const known = tables[name];
    if (known === undefined) continue;
    const qualified = `${identifier(schema)}.${identifier(name)}`;
    const version = await newestIn(client, qualified, known);
    found.push({ table: `${schema}.${name}`, tool: known.tool, version });
  }
  return found;
}

/** The number that a migration's name begins with in any tool: of `20240101_init`, `V1.2__x`, `1700000000000_x.sql`. */
function numberOf(name: string): bigint | undefined {
  const digits = name.match(/^[VB]?(\d[\d._-]*)/)?.[1]?.replace(/\D/g, "");
  return digits === undefined || digits === "" ? undefined : BigInt(digits);
}

/**
 * The migration of ours, among those imported from a tool, up to which the tool had come; undefined where none has its number (Alembic
 * and Drizzle name theirs by hashes).
 */
export function reachedBy(
  versionTables: readonly VersionTable[],
  names: readonly string[],
): string | undefined {
  for (const { version } of versionTables) {
    const number = version === undefined ? undefined : numberOf(version);
    const found = names.find((name) => number !== undefined && numberOf(name) === number);
    if (found !== undefined) return found;
  }
  return undefined;
}

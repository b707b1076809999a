import pg from "pg";

/** The tables in which other tools keep what they applied, and the column that says how far they are. */
const tables: Readonly<Record<string, { readonly tool: string; readonly newest: string }>> = {
  alembic_version: { tool: "Alembic", newest: "version_num" },
  schema_migrations: { tool: "dbmate, Rails or golang-migrate", newest: "version" },
  flyway_schema_history: { tool: "Flyway", newest: "version" },
  databasechangelog: { tool: "Liquibase", newest: "id" },
  _prisma_migrations: { tool: "Prisma", newest: "migration_name" },
  knex_migrations: { tool: "Knex", newest: "name" },
  SequelizeMeta: { tool: "Sequelize or Umzug", newest: "name" },
  django_migrations: { tool: "Django", newest: "name" },
  goose_db_version: { tool: "goose", newest: "version_id" },
  pgmigrations: { tool: "node-pg-migrate", newest: "name" },
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

async function newestIn(client: pg.Client, name: string, column: string): Promise<string | undefined> {
  const sql = `SELECT max(${pg.escapeIdentifier(column)}::text) AS newest FROM ${name}`;
  return client.query(sql).then(
    ({ rows }) => rows[0]?.newest ?? undefined,
    () => undefined,
  );
}

/** Every version table of a known tool in the connected database. */
export async function findVersionTables(client: pg.Client): Promise<VersionTable[]> {
  const { rows } = await client.query(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relname = ANY($1) AND n.nspname !~ '^pg_' ORDER BY 1, 2`,
    [Object.keys(tables)],
  );
  const found: VersionTable[] = [];
  for (const { schema, name } of rows) {
    const known = tables[name];
    if (known === undefined) continue;
    const qualified = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
    const version = await newestIn(client, qualified, known.newest);
    found.push({ table: `${schema}.${name}`, tool: known.tool, version });
  }
  return found;
}

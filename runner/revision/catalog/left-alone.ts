import type { Fact, FactBase } from "@supabase/pg-delta/core";
import { pathOf } from "./managed-view.ts";

/** The tables in which other tools keep which migrations they applied, and what belongs to them. */
const histories: readonly (readonly [name: RegExp, tool: string])[] = [
  [/^alembic_version$/, "Alembic"],
  [/^schema_migrations(_lock)?$|^ar_internal_metadata$/, "dbmate, Rails or golang-migrate"],
  [/^flyway_schema_history$/, "Flyway"],
  [/^databasechangelog(lock)?$/i, "Liquibase"],
  [/^_prisma_migrations$/, "Prisma"],
  [/^knex_migrations(_lock)?$/, "Knex"],
  [/^SequelizeMeta$/, "Sequelize or Umzug"],
  [/^django_migrations$/, "Django"],
  [/^goose_db_version$/, "goose"],
  [/^pgmigrations$/, "node-pg-migrate"],
  [/^__drizzle_migrations$/, "Drizzle"],
  [/^__diesel_schema_migrations$/, "Diesel"],
  [/^_sqlx_migrations$/, "SQLx"],
  [/^atlas_schema_revisions$/, "Atlas"],
  [/^__EFMigrationsHistory$/, "Entity Framework"],
];

const toolOf = (name: string) => histories.find(([pattern]) => pattern.test(name))?.[1];

/** What is left alone: patterns as `--ignore` takes them, and a line about each table. */
export interface LeftAlone {
  readonly patterns: readonly string[];
  readonly notes: readonly string[];
}

function isOwnedBy({ id, payload }: Fact, table: string): boolean {
  const owner = payload.ownedBy as { schema: string; table: string } | null | undefined;
  return id.kind === "sequence" && owner != null && `${owner.schema}.${owner.table}` === table;
}

/** A schema in which there is nothing else, such as Drizzle's, continues with its table. */
function ownSchemas(start: FactBase, models: FactBase, tables: ReadonlySet<string>): string[] {
  return start.facts().flatMap(({ id }) => {
    if (id.kind !== "schema" || models.has(id)) return [];
    const inside = start.facts().filter(({ parent }) => parent?.kind === "schema" && parent.name === id.name);
    const relations = inside.filter((fact) => fact.id.kind !== "sequence" && fact.id.kind !== "acl");
    return relations.length > 0 && relations.every((fact) => tables.has(pathOf(fact.id)))
      ? [`${id.name}.*`]
      : [];
  });
}

/** Finds the other tools' tables that a start has and the models do not mention. Pure. */
export function otherHistories(start: FactBase, models: FactBase): LeftAlone {
  const found = start.facts().flatMap((fact) => {
    const tool = fact.id.kind === "table" && !models.has(fact.id) ? toolOf(fact.id.name) : undefined;
    return tool === undefined ? [] : [{ fact, tool }];
  });
  const tables = new Set(found.map(({ fact }) => pathOf(fact.id)));
  const sequences = start.facts().filter((fact) => [...tables].some((table) => isOwnedBy(fact, table)));
  const parts = found.flatMap(({ fact }) => [
    fact,
    ...start.childrenOf(fact.id).filter(({ id }) => id.kind === "index"),
  ]);
  return {
    patterns: [
      ...[...parts, ...sequences].map(({ id }) => pathOf(id)),
      ...(found.length === 0 ? [] : ownSchemas(start, models, tables)),
    ],
    notes: found.map(
      ({ fact, tool }) => `table ${pathOf(fact.id)} is left alone: it is the history of ${tool}`,
    ),
  };
}

/** pg_default_acl's letters for kinds of objects. */
const kinds: Readonly<Record<string, string>> = {
  r: "TABLES",
  S: "SEQUENCES",
  f: "FUNCTIONS",
  T: "TYPES",
  n: "SCHEMAS",
};

/** A line for each change of default privileges in the models, which no migration makes. Pure. */
export function defaultPrivilegesIn(models: FactBase): string[] {
  const lines = models.facts().flatMap(({ id }) => {
    if (id.kind !== "defaultPrivilege") return [];
    const schema = id.schema == null ? "" : ` IN SCHEMA ${id.schema}`;
    return [`ALTER DEFAULT PRIVILEGES FOR ROLE ${id.role}${schema} … ON ${kinds[id.objtype] ?? id.objtype}`];
  });
  return [...new Set(lines)].map(
    (line) => `${line} in the models is left out: default privileges are the stack's (pgstack:roles)`,
  );
}

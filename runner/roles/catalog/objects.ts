import type pg from "pg";
import { type Acl, parseAcl } from "./acl.ts";

export type ObjectKind = "database" | "schema" | "table" | "sequence" | "function";

/** An object of the database that a person made, or the database itself, with who holds what on it. */
export interface CatalogObject {
  /** What it is known by in maps. */
  readonly key: string;
  readonly kind: ObjectKind;
  /** Empty for the database itself. */
  readonly schema: string;
  /** Bare name; of a function, its quoted and qualified identity with argument types. */
  readonly name: string;
  readonly owner: string;
  /** Of a relation: pg_class.relkind, such as `r` for a table and `v` for a view. */
  readonly relkind: string;
  readonly acl: Acl;
  /** Of a table: its columns with rights of their own, or all of them where that was asked for. */
  readonly columns: Readonly<Record<string, Acl>>;
  /** Schema and name of the partitioned tables and parents it belongs to. */
  readonly parents: readonly { readonly schema: string; readonly name: string }[];
  /** Of a function: it runs with its owner's rights. */
  readonly securityDefiner: boolean;
  /** Of a function: a view or a row security policy calls it, with the rights of whoever reads. */
  readonly calledByViews: boolean;
}

/** Default privileges of one creator: who will hold what on what the creator makes. */
export interface DefaultAcl {
  readonly creator: string;
  /** Undefined: in every schema. */
  readonly schema: string | undefined;
  readonly kind: ObjectKind;
  readonly acl: Acl;
}

/** Schemas of people: neither PostgreSQL's nor an extension's. */
export const userSchemas = `
  SELECT oid, nspname, nspowner, nspacl FROM pg_namespace n
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')`;

/** Leaves out what an extension made. */
export const notOfExtension = (catalog: string, oid: string) =>
  `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

/** $1: whether rights are wanted at all; of thousands of objects they are most of what is read. */
const acl = (list: string) => `CASE WHEN $1 THEN ${list}::text[] ELSE '{}' END`;

const schemasQuery = `
  SELECT 'database' AS kind, '' AS schema, datname AS name, pg_get_userbyid(datdba) AS owner,
    ${acl("coalesce(datacl, acldefault('d', datdba))")} AS acl
  FROM pg_database WHERE datname = current_database()
  UNION ALL
  SELECT 'schema', nspname, nspname, pg_get_userbyid(nspowner), ${acl("coalesce(nspacl, acldefault('n', nspowner))")}
  FROM (${userSchemas}) n
  ORDER BY 2`;

const relationsQuery = `
  SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, n.nspname AS schema, c.relname AS name,
    c.relkind::text AS relkind, pg_get_userbyid(c.relowner) AS owner,
    ${acl(`coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))`)} AS acl,
    CASE WHEN c.relispartition OR c.relhassubclass THEN (
      WITH RECURSIVE up AS (
        SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid
        UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.inhparent)
      SELECT json_agg(json_build_object('schema', p.relnamespace::regnamespace::name, 'name', p.relname))
      FROM up JOIN pg_class p ON p.oid = up.inhparent) END AS parents,
    (SELECT json_object_agg(t.attname, t.attacl::text[] ORDER BY t.attnum) FROM pg_attribute t
      WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped AND c.relkind <> 'S'
        AND ($2 OR t.attacl IS NOT NULL)) AS columns
  FROM pg_class c JOIN (${userSchemas}) n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${notOfExtension("pg_class", "c.oid")}
  ORDER BY 2, 3`;

const functionsQuery = `
  SELECT 'function' AS kind, n.nspname AS schema, p.oid::regprocedure::text AS name,
    pg_get_userbyid(p.proowner) AS owner, ${acl("coalesce(p.proacl, acldefault('f', p.proowner))")} AS acl,
    p.prosecdef AS "securityDefiner", EXISTS (
      SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
        AND d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass)) AS "calledByViews"
  FROM pg_proc p JOIN (${userSchemas}) n ON n.oid = p.pronamespace
  WHERE ${notOfExtension("pg_proc", "p.oid")}
  ORDER BY 2, 3`;

const defaultsQuery = `
  SELECT pg_get_userbyid(d.defaclrole) AS creator, n.nspname AS schema,
    CASE d.defaclobjtype WHEN 'r' THEN 'table' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'function' ELSE 'schema' END
      AS kind, d.defaclacl::text[] AS acl
  FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
  WHERE d.defaclobjtype IN ('r', 'S', 'f', 'n')`;

type ObjectRow = Omit<CatalogObject, "key" | "acl" | "columns"> & {
  readonly acl: readonly string[];
  readonly columns: Readonly<Record<string, readonly string[] | null>> | null;
};

function objectOf(row: ObjectRow): CatalogObject {
  const columns = Object.entries(row.columns ?? {});
  return {
    ...row,
    key: JSON.stringify([row.kind, row.schema, row.name]),
    relkind: row.relkind ?? "",
    acl: parseAcl(row.acl),
    columns: Object.fromEntries(columns.map(([name, acl]) => [name, parseAcl(acl ?? [])])),
    parents: row.parents ?? [],
    securityDefiner: row.securityDefiner ?? false,
    calledByViews: row.calledByViews ?? false,
  };
}

/**
 * The database and every object in it that a person made, with everybody's rights.
 * @param allColumns whether `columns` lists every column, or only those with rights of their own
 * @param acls false leaves `acl` empty
 */
export async function readObjects(
  client: pg.Client,
  { allColumns, acls = true }: { allColumns: boolean; acls?: boolean },
): Promise<CatalogObject[]> {
  const schemas = await client.query<ObjectRow>(schemasQuery, [acls]);
  const relations = await client.query<ObjectRow>(relationsQuery, [acls, allColumns]);
  const functions = await client.query<ObjectRow>(functionsQuery, [acls]);
  return [...schemas.rows, ...relations.rows, ...functions.rows].map(objectOf);
}

/** The schemas among the objects, by name. */
export function schemasAmong(objects: readonly CatalogObject[]): string[] {
  return objects.filter(({ kind }) => kind === "schema").map(({ name }) => name);
}

/** Every default privilege of the database, those among them that keep from PUBLIC what it has by itself. */
export async function readDefaults(client: pg.Client): Promise<DefaultAcl[]> {
  const { rows } = await client.query(defaultsQuery);
  return rows.map((row) => ({ ...row, schema: row.schema ?? undefined, acl: parseAcl(row.acl) }));
}

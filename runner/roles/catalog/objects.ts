import type pg from "pg";
import type { ObjectKind } from "../../config/access.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { isNotOfExtension, isUserSchema, ownSchema } from "../../postgres/sql.ts";

/** Privileges on one object by who holds them; PUBLIC is `publicGrantee`. What several grantors gave counts once. */
export type Acl = ReadonlyMap<string, readonly string[]>;

/** PUBLIC, where a grantee is named. */
export const publicGrantee = "";

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
  /** Of a table: its columns with privileges of their own, or all of them where that was asked for. */
  readonly columns: Readonly<Record<string, Acl>>;
  /** Schema and name of the partitioned tables and parents it belongs to. */
  readonly parents: readonly { readonly schema: string; readonly name: string }[];
  /** Of a table: row security is on, so that its policies decide which rows a role sees. */
  readonly rowSecurity: boolean;
  /** Of a function: it runs with its owner's privileges. */
  readonly securityDefiner: boolean;
  /** Of a function: a view or a row security policy calls it, with the privileges of whoever reads. */
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

/** Schemas of people: neither PostgreSQL's nor an extension's. pgstack's own is among them: nobody may read it. */
export const userSchemas = `
  SELECT oid, nspname, nspowner, nspacl FROM pg_namespace n
  WHERE (${isUserSchema("nspname")} OR nspname = '${ownSchema}') AND ${isNotOfExtension("pg_namespace", "n.oid")}`;

/** $1: whether privileges are wanted at all; of thousands of objects they are most of what is read. */
const acl = (list: string) => `CASE WHEN $1 THEN ${list} END`;

/** An access control list as JSON: privileges by grantee. */
const exploded = (list: string) =>
  `(SELECT json_object_agg(grantee, privileges) FROM (
     SELECT CASE grantee WHEN 0 THEN '${publicGrantee}' ELSE pg_get_userbyid(grantee) END AS grantee,
       json_agg(DISTINCT privilege_type) AS privileges
     FROM aclexplode(${list}) GROUP BY 1) AS held)`;

/** Reads the lists of a query of objects; of thousands of objects, only a few lists differ. */
const withLists = (objects: string, order: string) => `
  WITH objects AS MATERIALIZED (${objects}),
    lists AS (SELECT list, ${exploded("list")} AS acl FROM (SELECT DISTINCT list FROM objects) AS different)
  SELECT * FROM objects LEFT JOIN lists USING (list) ORDER BY ${order}`;

const schemasQuery = withLists(
  `SELECT 'database' AS kind, '' AS schema, datname AS name, pg_get_userbyid(datdba) AS owner,
     ${acl("coalesce(datacl, acldefault('d', datdba))")} AS list
   FROM pg_database WHERE datname = current_database()
   UNION ALL
   SELECT 'schema', nspname, nspname, pg_get_userbyid(nspowner), ${acl("coalesce(nspacl, acldefault('n', nspowner))")}
   FROM (${userSchemas}) n`,
  "schema",
);

const relationsQuery = withLists(
  `SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, n.nspname AS schema, c.relname AS name,
     c.relkind::text AS relkind, pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS "rowSecurity",
     ${acl(`coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))`)} AS list,
     CASE WHEN EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid) THEN (
       WITH RECURSIVE up AS (
         SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid
         UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.inhparent)
       SELECT json_agg(json_build_object('schema', pn.nspname, 'name', p.relname))
       FROM up JOIN pg_class p ON p.oid = up.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace) END AS parents,
     (SELECT json_object_agg(t.attname, ${exploded("t.attacl")} ORDER BY t.attnum) FROM pg_attribute t
       WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped AND c.relkind <> 'S'
         AND ($2 OR t.attacl IS NOT NULL)) AS columns
   FROM pg_class c JOIN (${userSchemas}) n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${isNotOfExtension("pg_class", "c.oid")}`,
  "schema, name",
);

const functionsQuery = withLists(
  `SELECT 'function' AS kind, n.nspname AS schema, p.oid::regprocedure::text AS name,
     pg_get_userbyid(p.proowner) AS owner, ${acl("coalesce(p.proacl, acldefault('f', p.proowner))")} AS list,
     p.prosecdef AS "securityDefiner", EXISTS (
       SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
         AND d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass)) AS "calledByViews"
   FROM pg_proc p JOIN (${userSchemas}) n ON n.oid = p.pronamespace
   WHERE ${isNotOfExtension("pg_proc", "p.oid")}`,
  "schema, name",
);

const defaultsQuery = `
  SELECT pg_get_userbyid(d.defaclrole) AS creator, n.nspname AS schema,
    CASE d.defaclobjtype WHEN 'r' THEN 'table' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'function' ELSE 'schema' END
      AS kind, ${exploded("d.defaclacl")} AS acl
  FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
  WHERE d.defaclobjtype IN ('r', 'S', 'f', 'n')`;

/** Privileges by grantee; null where there is no list, or an empty one. */
type AclJson = Readonly<Record<string, readonly string[]>> | null;

type OfKind = "relkind" | "parents" | "rowSecurity" | "securityDefiner" | "calledByViews";

interface ObjectRow
  extends Omit<CatalogObject, "key" | "acl" | "columns" | OfKind>,
    Partial<Pick<CatalogObject, OfKind>> {
  readonly acl: AclJson;
  readonly columns?: Readonly<Record<string, AclJson>> | null;
}

const aclOf = (json: AclJson): Acl => new Map(Object.entries(json ?? {}));

function objectOf(row: ObjectRow): CatalogObject {
  const columns = Object.entries(row.columns ?? {});
  return {
    ...row,
    key: JSON.stringify([row.kind, row.schema, row.name]),
    relkind: row.relkind ?? "",
    acl: aclOf(row.acl),
    columns: Object.fromEntries(columns.map(([name, acl]) => [name, aclOf(acl)])),
    parents: row.parents ?? [],
    rowSecurity: row.rowSecurity ?? false,
    securityDefiner: row.securityDefiner ?? false,
    calledByViews: row.calledByViews ?? false,
  };
}

/**
 * The database and every object in it that a person made, with everybody's privileges.
 * @param allColumns whether `columns` lists every column, or only those with privileges of their own
 * @param acls false leaves `acl` empty
 */
export async function readObjects(
  client: pg.Client,
  { allColumns, acls = true }: { allColumns: boolean; acls?: boolean },
): Promise<CatalogObject[]> {
  const schemas = await rowsOf<ObjectRow>(client, schemasQuery, [acls]);
  const relations = await rowsOf<ObjectRow>(client, relationsQuery, [acls, allColumns]);
  const functions = await rowsOf<ObjectRow>(client, functionsQuery, [acls]);
  return [...schemas, ...relations, ...functions].map(objectOf);
}

/** The schemas among the objects, by name. */
export function schemasAmong(objects: readonly CatalogObject[]): string[] {
  return objects.filter(({ kind }) => kind === "schema").map(({ name }) => name);
}

interface DefaultRow extends Omit<DefaultAcl, "schema" | "acl"> {
  readonly schema: string | null;
  readonly acl: AclJson;
}

/** Every default privilege of the database, those among them that keep from PUBLIC what it has by itself. */
export async function readDefaults(client: pg.Client): Promise<DefaultAcl[]> {
  const rows = await rowsOf<DefaultRow>(client, defaultsQuery);
  return rows.map((row) => ({ ...row, schema: row.schema ?? undefined, acl: aclOf(row.acl) }));
}

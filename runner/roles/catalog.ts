import type pg from "pg";

export type ObjectKind = "schema" | "table" | "sequence" | "function";

/** An object of the database, and what one grantee holds on it directly. */
export interface Holding {
  readonly kind: ObjectKind;
  readonly schema: string;
  /** Bare name; of a function, its quoted and qualified identity with argument types. */
  readonly name: string;
  readonly owner: string;
  /** Of a relation: pg_class.relkind, such as `r` for a table and `v` for a view. */
  readonly relkind: string;
  readonly held: readonly string[];
  /** Of a table that `withColumns` names: what is held on each column alone. */
  readonly columns: Readonly<Record<string, readonly string[]>>;
  /** Schema and name of the partitioned tables and parents it belongs to. */
  readonly parents: readonly { readonly schema: string; readonly name: string }[];
  /** Of a function: it runs with its owner's rights. */
  readonly securityDefiner: boolean;
  /** Of a function: a view or a row security policy calls it, with the rights of whoever reads. */
  readonly calledByViews: boolean;
}

/** Default privileges of one creator: what a grantee will hold on what the creator makes. */
export interface DefaultHolding {
  readonly creator: string;
  /** Undefined: in every schema. */
  readonly schema: string | undefined;
  readonly kind: ObjectKind;
  readonly held: readonly string[];
}

/** Schemas of people: neither PostgreSQL's nor an extension's. */
const userSchemas = `
  SELECT oid, nspname, nspowner, nspacl FROM pg_namespace n
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')`;

/** The grantee's entries; $1 is its oid, 0 for PUBLIC. */
const held = (acl: string) =>
  `coalesce((SELECT array_agg(DISTINCT a.privilege_type) FROM aclexplode(${acl}) a WHERE a.grantee = $1), '{}')`;

const notOfExtension = (catalog: string, oid: string) =>
  `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

const schemasQuery = `
  SELECT 'schema' AS kind, nspname AS schema, nspname AS name, pg_get_userbyid(nspowner) AS owner,
    ${held("coalesce(nspacl, acldefault('n', nspowner))")} AS held
  FROM (${userSchemas}) n
  ORDER BY 2`;

const relationsQuery = `
  SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, n.nspname AS schema, c.relname AS name,
    c.relkind::text AS relkind, pg_get_userbyid(c.relowner) AS owner, ${held("c.relacl")} AS held,
    CASE WHEN c.relispartition OR c.relhassubclass THEN (
      WITH RECURSIVE up AS (
        SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid
        UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.inhparent)
      SELECT json_agg(json_build_object('schema', p.relnamespace::regnamespace::name, 'name', p.relname))
      FROM up JOIN pg_class p ON p.oid = up.inhparent) END AS parents,
    (SELECT json_object_agg(t.attname, ${held("t.attacl")}) FROM pg_attribute t
      WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped
        AND ($2 OR t.attacl IS NOT NULL)) AS columns
  FROM pg_class c JOIN (${userSchemas}) n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${notOfExtension("pg_class", "c.oid")}
  ORDER BY 2, 3`;

const functionsQuery = `
  SELECT 'function' AS kind, n.nspname AS schema, p.oid::regprocedure::text AS name,
    pg_get_userbyid(p.proowner) AS owner, ${held("coalesce(p.proacl, acldefault('f', p.proowner))")} AS held,
    p.prosecdef AS "securityDefiner", EXISTS (
      SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
        AND d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass)) AS "calledByViews"
  FROM pg_proc p JOIN (${userSchemas}) n ON n.oid = p.pronamespace
  WHERE ${notOfExtension("pg_proc", "p.oid")}
  ORDER BY 2, 3`;

const defaultsQuery = `
  SELECT pg_get_userbyid(d.defaclrole) AS creator, n.nspname AS schema,
    CASE d.defaclobjtype WHEN 'r' THEN 'table' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'function' ELSE 'schema' END
      AS kind, ${held("d.defaclacl")} AS held
  FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
  WHERE d.defaclobjtype IN ('r', 'S', 'f', 'n')`;

/**
 * Every object of the database that a person made, with what the grantee holds on it.
 * @param grantee oid of a role, or 0 for PUBLIC
 * @param allColumns whether `columns` lists every column, or only those with rights of their own
 */
export async function readHoldings(
  client: pg.Client,
  grantee: number,
  { allColumns }: { allColumns: boolean },
): Promise<Holding[]> {
  const schemas = await client.query(schemasQuery, [grantee]);
  const relations = await client.query(relationsQuery, [grantee, allColumns]);
  const functions = await client.query(functionsQuery, [grantee]);
  return [...schemas.rows, ...relations.rows, ...functions.rows].map((row) => ({
    ...row,
    relkind: row.relkind ?? "",
    columns: row.columns ?? {},
    parents: row.parents ?? [],
    securityDefiner: row.securityDefiner ?? false,
    calledByViews: row.calledByViews ?? false,
  }));
}

/** Every default privilege of the database that names the grantee, or that keeps from PUBLIC what it has by itself. */
export async function readDefaults(client: pg.Client, grantee: number): Promise<DefaultHolding[]> {
  const { rows } = await client.query(defaultsQuery, [grantee]);
  return rows.map((row) => ({ ...row, schema: row.schema ?? undefined }));
}

/** The oid of a role, or undefined where there is none of that name. */
export async function readRoleOid(client: pg.Client, role: string): Promise<number | undefined> {
  const { rows } = await client.query("SELECT oid FROM pg_roles WHERE rolname = $1", [role]);
  return rows[0]?.oid;
}

/**
 * The roles whose new objects count: those named, the connected one, owners of what is in the database, and
 * ordinary roles that may make objects in one of its schemas. Only a superuser sets the privileges of what another
 * superuser makes: for any other admin these are left out.
 */
export async function readCreators(client: pg.Client, named: readonly string[]): Promise<string[]> {
  const { rows } = await client.query(
    `WITH n AS (${userSchemas}),
       owners AS (SELECT DISTINCT relowner AS oid FROM pg_class c JOIN n ON n.oid = c.relnamespace
         WHERE ${notOfExtension("pg_class", "c.oid")})
     SELECT r.rolname AS name FROM pg_roles r JOIN pg_roles me ON me.rolname = current_user
     WHERE (me.rolsuper OR NOT r.rolsuper) AND (r.rolname = ANY($1) OR r.rolname = current_user OR r.oid IN (SELECT oid FROM owners)
       OR (NOT r.rolsuper AND r.rolname !~ '^pg_' AND r.rolcanlogin
         AND EXISTS (SELECT FROM n WHERE n.nspname <> 'pgstack' AND has_schema_privilege(r.oid, n.oid, 'CREATE'))))
     ORDER BY 1`,
    [named],
  );
  return rows.map(({ name }) => name);
}

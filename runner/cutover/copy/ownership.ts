import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { identifier, isNotOfExtension, literal } from "../../postgres/sql.ts";
import { isMovedSchema, isNotOurs } from "../moved-objects.ts";

/** One privilege of one role on one object. */
export interface Grant {
  /** As in pg_identify_object: `table`, `function`, …; `column` has the column's name in `column`. */
  readonly type: string;
  readonly identity: string;
  readonly column: string | null;
  /** Null is PUBLIC. */
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
}

/** A user of a foreign server: https://www.postgresql.org/docs/current/sql-createusermapping.html */
export interface UserMapping {
  readonly user: string;
  readonly server: string;
}

/** Mappings by the names of user and server; those of PUBLIC have the user "public". */
export async function listUserMappings(client: pg.Client): Promise<UserMapping[]> {
  return rowsOf<UserMapping>(client, "SELECT usename AS user, srvname AS server FROM pg_user_mappings");
}

/** An object and the role that owns it. */
export interface Owned {
  readonly type: string;
  readonly identity: string;
  readonly owner: string;
}

/** Types as pg_identify_object names them, whose SQL spelling differs. */
const spelling: Record<string, string> = {
  "foreign-data wrapper": "foreign data wrapper",
  "statistics object": "statistics",
};
const sqlType = (type: string) => (spelling[type] ?? type).toUpperCase();

/** Objects that people made: no catalogs, nothing of an extension, none of our own state. */
const userObjects = `
  ${isNotOfExtension("o.classid", "o.objid")}
  AND ${isMovedSchema("coalesce(i.schema, i.name, '')")}`;

/** No row type of a table, no array, no multirange: these follow another type. */
const ownType = `x.typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = x.oid)
  AND (x.typrelid = 0 OR (SELECT relkind = 'c' FROM pg_class WHERE oid = x.typrelid))`;

/** The catalogs of objects that have an owner, its column, and the condition on the rows that count. */
const owned = [
  ["pg_class", "relowner", "x.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"],
  ["pg_proc", "proowner", "true"],
  ["pg_namespace", "nspowner", "x.nspname <> 'public' OR x.nspowner >= 16384"], // as the server has made it
  ["pg_type", "typowner", ownType],
  ["pg_operator", "oprowner", "true"],
  ["pg_opclass", "opcowner", "true"],
  ["pg_opfamily", "opfowner", "true"],
  ["pg_collation", "collowner", "true"],
  ["pg_conversion", "conowner", "true"],
  ["pg_ts_dict", "dictowner", "true"],
  ["pg_ts_config", "cfgowner", "true"],
  ["pg_statistic_ext", "stxowner", "true"],
  ["pg_language", "lanowner", "x.oid >= 16384"],
  ["pg_foreign_data_wrapper", "fdwowner", "true"],
  ["pg_foreign_server", "srvowner", "true"],
  ["pg_publication", "pubowner", isNotOurs("x.pubname")],
  ["pg_largeobject_metadata", "lomowner", "true"],
] as const;

/** Sequences of columns go with their tables. */
const ownSequence = `NOT (i.type = 'sequence' AND EXISTS (
  SELECT FROM pg_depend s WHERE s.classid = o.classid AND s.objid = o.objid AND s.deptype IN ('a', 'i')))`;

const owners = owned.map(
  ([catalog, column, condition]) => `
  SELECT i.type, i.identity, pg_get_userbyid(x.${column}) AS owner
  FROM ${catalog} x
  CROSS JOIN LATERAL (SELECT '${catalog.replace("_metadata", "")}'::regclass::oid AS classid, x.oid AS objid) o
  CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, 0) i
  WHERE (${condition}) AND ${ownSequence} AND ${userObjects}`,
);

/** Every object that people made, with the role that owns it. What has no role of its own (an index, a rule) follows its table. */
export async function listOwners(client: pg.Client): Promise<Owned[]> {
  return rowsOf<Owned>(client, `${owners.join(" UNION ALL ")} ORDER BY 1, 2`);
}

/** Makes the roles of the list own the objects, as far as the role exists here. */
export async function applyOwners(client: pg.Client, owned: readonly Owned[]): Promise<void> {
  const roles = await existingRoles(client);
  const statements = owned
    .filter(({ owner }) => roles.has(owner))
    .map(({ type, identity, owner }) => `ALTER ${sqlType(type)} ${identity} OWNER TO ${identifier(owner)}`);
  if (statements.length > 0) await client.query(statements.join(";\n"));
}

/** Names of the roles of a server. */
export async function existingRoles(client: pg.Client): Promise<Set<string>> {
  const roles = await rowsOf<{ name: string }>(client, "SELECT rolname AS name FROM pg_roles");
  return new Set(roles.map(({ name }) => name));
}

/** The catalogs of objects that have an access list, and its column. */
const access = [
  ["pg_class", "relacl"],
  ["pg_proc", "proacl"],
  ["pg_namespace", "nspacl"],
  ["pg_type", "typacl"],
  ["pg_language", "lanacl"],
  ["pg_foreign_data_wrapper", "fdwacl"],
  ["pg_foreign_server", "srvacl"],
  ["pg_largeobject_metadata", "lomacl"],
] as const;

const grantee = "CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END";
const objectGrants = access.map(
  ([table, column]) => `
  SELECT i.type, i.identity, NULL::text AS "column", ${grantee} AS grantee, a.privilege_type AS privilege, a.is_grantable AS grantable
  FROM ${table} x
  CROSS JOIN LATERAL (SELECT '${table.replace("_metadata", "")}'::regclass::oid AS classid, x.oid AS objid) o
  CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, 0) i
  CROSS JOIN LATERAL aclexplode(x.${column}) a
  WHERE x.${column} IS NOT NULL AND ${userObjects}`,
);
const columnGrants = `
  SELECT i.type, i.identity, att.attname::text, ${grantee}, a.privilege_type, a.is_grantable
  FROM pg_attribute att
  CROSS JOIN LATERAL (SELECT 'pg_class'::regclass::oid AS classid, att.attrelid AS objid) o
  CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, 0) i
  CROSS JOIN LATERAL aclexplode(att.attacl) a
  WHERE att.attacl IS NOT NULL AND NOT att.attisdropped AND ${userObjects}`;

/** Every privilege that was granted on an object; defaults that nobody touched are not listed. */
export async function listGrants(client: pg.Client): Promise<Grant[]> {
  return rowsOf<Grant>(
    client,
    `${[...objectGrants, columnGrants].join(" UNION ALL ")} ORDER BY 1, 2, 3 NULLS FIRST, 4, 5`,
  );
}

/** The word after ON; relations of all kinds are granted on as tables, sequences apart. */
function grantWord(type: string): string {
  if (["view", "materialized view", "foreign table", "table"].includes(type)) return "TABLE";
  if (["function", "procedure", "aggregate"].includes(type)) return "ROUTINE";
  if (["foreign-data wrapper", "foreign data wrapper"].includes(type)) return "FOREIGN DATA WRAPPER";
  if (type === "server") return "FOREIGN SERVER";
  return type.toUpperCase();
}

/** A privilege as SQL. */
export function grantStatement({ type, identity, column, grantee, privilege, grantable }: Grant): string {
  const columns = column === null ? "" : ` (${identifier(column)})`;
  const to = grantee === null ? "PUBLIC" : identifier(grantee);
  return `GRANT ${privilege}${columns} ON ${grantWord(type)} ${identity} TO ${to}${grantable ? " WITH GRANT OPTION" : ""}`;
}

/** Grants what is listed, each in its own right: what names an object or role that is not here is left out. */
export async function applyGrants(client: pg.Client, grants: readonly Grant[]): Promise<void> {
  const roles = await existingRoles(client);
  const statements = grants
    .filter(({ grantee }) => grantee === null || roles.has(grantee))
    .map(grantStatement);
  if (statements.length === 0) return;
  const attempts = statements.map(
    (statement) => `BEGIN EXECUTE ${literal(statement)}; EXCEPTION WHEN undefined_object OR undefined_table OR
      undefined_function OR undefined_column OR invalid_schema_name OR wrong_object_type THEN NULL; END;`,
  );
  await client.query(`DO ${literal(`BEGIN ${attempts.join("\n")} END`)}`);
}

/** Takes from PUBLIC what a new object gives it by default and the source's access list does not hold. */
export async function revokeDefaults(client: pg.Client, grants: readonly Grant[]): Promise<void> {
  const withDefaults = grants.filter(({ type }) => ["ROUTINE", "TYPE", "LANGUAGE"].includes(grantWord(type)));
  const objects = new Map(withDefaults.map((grant) => [`${grant.type} ${grant.identity}`, grant]));
  const open = new Set(
    withDefaults.filter(({ grantee }) => grantee === null).map(({ type, identity }) => `${type} ${identity}`),
  );
  const statements = [...objects]
    .filter(([key]) => !open.has(key))
    .map(([, { type, identity }]) => `REVOKE ALL ON ${grantWord(type)} ${identity} FROM PUBLIC`);
  if (statements.length > 0) await client.query(statements.join(";\n"));
}

import type pg from "pg";
import { oneRow, rowsOf } from "../postgres/rows.ts";
import { isNotOfExtension, isNotPredefinedRole, isNotSystemSchema, isUserSchema } from "../postgres/sql.ts";

/** A login role as the server has it. */
export interface FoundRole {
  readonly name: string;
  readonly superuser: boolean;
  /** CREATEDB, CREATEROLE, REPLICATION, BYPASSRLS, NOINHERIT, where it has them. */
  readonly attributes: readonly string[];
  readonly connectionLimit: number;
  /** `infinity`, or a date and time in UTC. */
  readonly validUntil: string;
  /** Its own settings, such as `statement_timeout=30s`. */
  readonly settings: readonly string[];
  readonly memberOf: readonly string[];
  /** Of these, those whose members it may choose (WITH ADMIN OPTION). */
  readonly administers: readonly string[];
  /** Objects that it owns in this database. */
  readonly owned: number;
}

/** The database as the server has it. */
export interface FoundDatabase {
  readonly name: string;
  readonly owner: string;
  readonly ownerIsSuperuser: boolean;
  readonly connectionLimit: number;
  readonly settings: readonly string[];
  readonly schemas: readonly { readonly name: string; readonly owner: string }[];
  readonly extensions: readonly string[];
  /** Objects by their owner, where that is not the database's. */
  readonly foreign: readonly { readonly owner: string; readonly count: number }[];
  readonly tables: number;
  /** Kinds of object that a stack neither makes nor touches, with their names. */
  readonly others: readonly { readonly kind: string; readonly names: readonly string[] }[];
  /** True where PUBLIC may still connect or make temporary tables. */
  readonly openToPublic: boolean;
}

const databaseQuery = `
  SELECT d.datname AS name, r.rolname AS owner, r.rolsuper AS "ownerIsSuperuser", d.datconnlimit AS "connectionLimit",
    coalesce((SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid AND setrole = 0), '{}') AS settings,
    EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE a.grantee = 0) AS "openToPublic"
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = current_database()`;

const schemasQuery = `
  SELECT nspname AS name, pg_get_userbyid(nspowner) AS owner FROM pg_namespace n
  WHERE ${isUserSchema("nspname")} AND ${isNotOfExtension("pg_namespace", "n.oid")}
  ORDER BY 1`;

const relationsQuery = `
  SELECT pg_get_userbyid(c.relowner) AS owner, count(*)::int AS count,
    (count(*) FILTER (WHERE c.relkind IN ('r', 'p')))::int AS tables
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${isNotSystemSchema("n.nspname")}
    AND ${isNotOfExtension("pg_class", "c.oid")}
  GROUP BY 1 ORDER BY 1`;

const othersQuery = `
  SELECT kind, array_agg(name ORDER BY name) AS names FROM (
    SELECT 'event trigger' AS kind, evtname::text AS name FROM pg_event_trigger
    UNION ALL SELECT 'publication', pubname FROM pg_publication
    UNION ALL SELECT 'foreign server', srvname FROM pg_foreign_server
    UNION ALL SELECT 'row security policy', polname || ' on ' || polrelid::regclass::text FROM pg_policy
  ) o GROUP BY kind ORDER BY kind`;

const rolesQuery = `
  SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolconnlimit AS "connectionLimit",
    array_remove(ARRAY[CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
      CASE WHEN rolreplication THEN 'REPLICATION' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
      CASE WHEN NOT rolinherit THEN 'NOINHERIT' END], NULL) AS attributes,
    CASE WHEN rolvaliduntil IS NULL OR rolvaliduntil = 'infinity' THEN 'infinity'
      ELSE to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END AS "validUntil",
    coalesce(rolconfig, '{}') AS settings,
    ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1) AS "memberOf",
    ARRAY(SELECT DISTINCT pg_get_userbyid(roleid)::text FROM pg_auth_members m WHERE m.member = r.oid AND admin_option ORDER BY 1) AS administers,
    (SELECT count(*)::int FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
      AND s.deptype = 'o' AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())) AS owned
  FROM pg_roles r WHERE r.rolcanlogin AND ${isNotPredefinedRole("r.rolname")} ORDER BY r.rolname`;

/** Reads what a stack could take over: the connected database, and the server's login roles. Catalogs only. */
export async function findDatabase(
  client: pg.Client,
): Promise<{ database: FoundDatabase; roles: FoundRole[] }> {
  const database = await oneRow<
    Omit<FoundDatabase, "schemas" | "extensions" | "foreign" | "tables" | "others">
  >(client, databaseQuery);
  const relations = await rowsOf<FoundDatabase["foreign"][number] & { tables: number }>(
    client,
    relationsQuery,
  );
  const extensions = await rowsOf<{ name: string }>(
    client,
    "SELECT extname AS name FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1",
  );
  return {
    database: {
      ...database,
      schemas: await rowsOf<FoundDatabase["schemas"][number]>(client, schemasQuery),
      extensions: extensions.map(({ name }) => name),
      foreign: relations.filter(({ owner }) => owner !== database.owner),
      tables: relations.reduce((sum, { tables }) => sum + tables, 0),
      others: await rowsOf<FoundDatabase["others"][number]>(client, othersQuery),
    },
    roles: await rowsOf<FoundRole>(client, rolesQuery),
  };
}

import type pg from "pg";
import type { ObjectKind } from "../../config/access.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { readServerVersion } from "../../postgres/server-version.ts";
import { isNotPredefinedRole } from "../../postgres/sql.ts";
import { type Acl, type CatalogObject, publicGrantee } from "./objects.ts";

/** Rights by kind of object. */
export type ShownRights = Readonly<Record<ObjectKind, readonly string[]>>;

/**
 * The rights that are shown of each kind of object, in the order of a matrix's columns.
 * @param major the server's version; MAINTAIN is of 17: https://www.postgresql.org/docs/17/release-17.html
 */
export const shownRights = (major: number): ShownRights => ({
  database: ["CONNECT", "TEMPORARY", "CREATE"],
  schema: ["USAGE", "CREATE"],
  table: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", ...(major >= 17 ? ["MAINTAIN"] : [])],
  sequence: ["SELECT", "USAGE", "UPDATE"],
  function: ["EXECUTE"],
});

/** A role as the server has it, with what it may do to each object. */
export interface EffectiveRole {
  readonly name: string;
  readonly superuser: boolean;
  /** CREATEDB, CREATEROLE, REPLICATION, BYPASSRLS, where it has them. */
  readonly attributes: readonly string[];
  readonly readOnly: boolean;
  readonly connectionLimit: number;
  readonly memberOf: readonly string[];
  /** CONNECT, TEMPORARY, CREATE. */
  readonly onDatabase: readonly string[];
  /** Rights by the object's key: its own, PUBLIC's and those of the roles it is a member of. */
  readonly rights: ReadonlyMap<string, readonly string[]>;
  /** Columns that it may read, of tables that it may read in part, by the table's key. */
  readonly readableColumns: ReadonlyMap<string, readonly string[]>;
}

/** `has` are the roles whose rights a role has, as the server decides it: itself, and those it inherits from. */
const rolesQuery = `
  SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolconnlimit AS "connectionLimit",
    array_remove(ARRAY[CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
      CASE WHEN rolreplication THEN 'REPLICATION' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL) AS attributes,
    coalesce('default_transaction_read_only=on' = ANY(rolconfig), false) AS "readOnly",
    ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1) AS "memberOf",
    ARRAY(SELECT g.rolname::text FROM pg_roles g WHERE (g.oid = r.oid OR g.oid IN (SELECT roleid FROM pg_auth_members)
      OR g.rolname = 'pg_database_owner') AND pg_has_role(r.oid, g.oid, 'USAGE')) AS has
  FROM pg_roles r
  WHERE r.rolname = ANY($1) OR (NOT r.rolsuper AND ${isNotPredefinedRole("r.rolname")}
    AND (r.rolcanlogin AND has_database_privilege(r.oid, current_database(), 'CONNECT')
      OR EXISTS (SELECT FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
        AND s.deptype IN ('a', 'o', 'r') AND (s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
          OR s.classid = 'pg_database'::regclass AND s.objid = (SELECT oid FROM pg_database WHERE datname = current_database())))))
  ORDER BY r.rolname`;

interface RoleRow extends Omit<EffectiveRole, "onDatabase" | "rights" | "readableColumns"> {
  readonly has: readonly string[];
}

/** What membership in these gives on every object: https://www.postgresql.org/docs/current/predefined-roles.html */
const predefined: Readonly<Record<string, Partial<Record<ObjectKind, readonly string[]>>>> = {
  pg_read_all_data: { schema: ["USAGE"], table: ["SELECT"], sequence: ["SELECT"] },
  pg_write_all_data: { schema: ["USAGE"], table: ["INSERT", "UPDATE", "DELETE"], sequence: ["UPDATE"] },
  pg_maintain: { table: ["MAINTAIN"] },
};

function heldBy(
  { superuser, has }: RoleRow,
  shown: readonly string[],
  kind: ObjectKind,
  acl: Acl,
): readonly string[] {
  if (superuser) return shown;
  const held = new Set(acl.get(publicGrantee));
  for (const name of has) {
    for (const right of acl.get(name) ?? []) held.add(right);
    for (const right of predefined[name]?.[kind] ?? []) held.add(right);
  }
  return shown.filter((right) => held.has(right));
}

function withRights(row: RoleRow, objects: readonly CatalogObject[], shown: ShownRights): EffectiveRole {
  const rights = new Map<string, readonly string[]>();
  const readableColumns = new Map<string, readonly string[]>();
  let onDatabase: readonly string[] = [];
  for (const { key, kind, acl, columns } of objects) {
    const held = heldBy(row, shown[kind], kind, acl);
    rights.set(key, held);
    if (kind === "database") onDatabase = held;
    if (kind !== "table" || held.includes("SELECT")) continue;
    const readable = Object.entries(columns).filter(([, acl]) =>
      heldBy(row, shown[kind], kind, acl).includes("SELECT"),
    );
    if (readable.length > 0)
      readableColumns.set(
        key,
        readable.map(([name]) => name),
      );
  }
  const { has: _, ...role } = row;
  return { ...role, onDatabase, rights, readableColumns };
}

/**
 * The named roles, and every other that is no superuser and logs in to this database or holds anything in it, with what
 * each may do to each object, whichever way the right came. The server says which roles' rights a role has; the objects' own lists say the rest.
 */
export async function readEffectiveRoles(
  client: pg.Client,
  named: readonly string[],
  objects: readonly CatalogObject[],
): Promise<EffectiveRole[]> {
  const rows = await rowsOf<RoleRow>(client, rolesQuery, [named]);
  const shown = shownRights((await readServerVersion(client)).major);
  return rows.map((row) => withRights(row, objects, shown));
}

import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { isNotOfExtension, isNotPredefinedRole, isOfExtension, ownSchema } from "../../postgres/sql.ts";
import { userSchemas } from "./objects.ts";

/** A role whose new objects count. */
export interface Creator {
  readonly name: string;
  /** A superuser, or the admin: extensions are made as such a role, whatever else it makes. */
  readonly makesExtensions: boolean;
}

/** A function of an extension, quoted and qualified, and its owner. */
export interface TakenFunction {
  readonly name: string;
  readonly owner: string;
}

/**
 * Functions of extensions that PUBLIC may not run since their owner's default privileges said so when they were made, and
 * say so still: the extension's script itself (pg_init_privs) revoked nothing.
 */
export function readTakenFunctions(client: pg.Client, creators: readonly string[]): Promise<TakenFunction[]> {
  return rowsOf<TakenFunction>(
    client,
    `SELECT p.oid::regprocedure::text AS name, pg_get_userbyid(p.proowner) AS owner
     FROM pg_proc p JOIN pg_default_acl d ON d.defaclrole = p.proowner AND d.defaclobjtype = 'f' AND d.defaclnamespace = 0
     WHERE pg_get_userbyid(p.proowner) = ANY($1) AND ${isOfExtension("pg_proc", "p.oid")}
       AND NOT EXISTS (SELECT FROM aclexplode(d.defaclacl) a WHERE a.grantee = 0)
       AND p.proacl IS NOT NULL AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0)
       AND NOT EXISTS (SELECT FROM pg_init_privs i WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid)
     ORDER BY 1`,
    [creators],
  );
}

/** What the declared roles will be when their rights are applied: it decides who will make objects. */
export interface DeclaredMembers {
  /** Roles that always count. */
  readonly named: readonly string[];
  /** Declared roles: a CREATE that one holds by hand is about to be revoked. */
  readonly declared: readonly string[];
  /** Those of them whose memberships are exactly the declared ones. */
  readonly exact: readonly string[];
  /** The declared memberships. */
  readonly memberships: readonly { readonly role: string; readonly group: string }[];
}

/**
 * The roles whose new objects count: those named, the connected one, owners of what is in the database, and
 * ordinary roles that may make objects in one of its schemas (by more than PUBLIC's privilege, which a stack revokes, and by
 * more than a declared role holds beyond its declaration).
 * Only a superuser sets the default privileges of another superuser: for any other admin these are left out.
 */
export async function readCreators(client: pg.Client, roles: DeclaredMembers): Promise<Creator[]> {
  const { named, declared, exact, memberships } = roles;
  return rowsOf<Creator>(
    client,
    `WITH n AS (${userSchemas}),
       owners AS (SELECT DISTINCT relowner AS oid FROM pg_class c JOIN n ON n.oid = c.relnamespace
         WHERE ${isNotOfExtension("pg_class", "c.oid")}),
       makers AS (SELECT DISTINCT a.grantee AS oid FROM n, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
         WHERE nspname <> '${ownSchema}' AND a.privilege_type = 'CREATE' AND a.grantee <> 0
           AND (a.grantee = nspowner OR a.grantee NOT IN (SELECT oid FROM pg_roles WHERE rolname = ANY ($2)))),
       member AS (SELECT m.role, g.oid FROM unnest($4::text[], $5::text[]) AS m (role, "group") JOIN pg_roles g ON g.rolname = m."group")
     SELECT r.rolname AS name, r.rolsuper OR r.rolname = current_user AS "makesExtensions" FROM pg_roles r JOIN pg_roles me ON me.rolname = current_user
     WHERE (me.rolsuper OR NOT r.rolsuper) AND (r.rolname = ANY($1) OR r.rolname = current_user OR r.oid IN (SELECT oid FROM owners)
       OR (NOT r.rolsuper AND ${isNotPredefinedRole("r.rolname")} AND r.rolcanlogin
         AND EXISTS (SELECT FROM makers WHERE CASE WHEN r.rolname = ANY ($3)
           THEN makers.oid = r.oid OR EXISTS (SELECT FROM member WHERE member.role = r.rolname AND pg_has_role(member.oid, makers.oid, 'USAGE'))
           ELSE pg_has_role(r.oid, makers.oid, 'USAGE') END)))
     ORDER BY 1`,
    [named, declared, exact, memberships.map(({ role }) => role), memberships.map(({ group }) => group)],
  );
}

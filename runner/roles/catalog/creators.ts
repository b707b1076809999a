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

/**
 * The roles whose new objects count: those named, the connected one, owners of what is in the database, and
 * ordinary roles that may make objects in one of its schemas (by more than PUBLIC's privilege, which a stack revokes).
 * Only a superuser sets the default privileges of another superuser: for any other admin these are left out.
 */
export async function readCreators(client: pg.Client, named: readonly string[]): Promise<Creator[]> {
  return rowsOf<Creator>(
    client,
    `WITH n AS (${userSchemas}),
       owners AS (SELECT DISTINCT relowner AS oid FROM pg_class c JOIN n ON n.oid = c.relnamespace
         WHERE ${isNotOfExtension("pg_class", "c.oid")})
     SELECT r.rolname AS name, r.rolsuper OR r.rolname = current_user AS "makesExtensions" FROM pg_roles r JOIN pg_roles me ON me.rolname = current_user
     WHERE (me.rolsuper OR NOT r.rolsuper) AND (r.rolname = ANY($1) OR r.rolname = current_user OR r.oid IN (SELECT oid FROM owners)
       OR (NOT r.rolsuper AND ${isNotPredefinedRole("r.rolname")} AND r.rolcanlogin
         AND EXISTS (SELECT FROM n, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a WHERE nspname <> '${ownSchema}'
           AND a.privilege_type = 'CREATE' AND a.grantee <> 0 AND pg_has_role(r.oid, a.grantee, 'USAGE'))))
     ORDER BY 1`,
    [named],
  );
}

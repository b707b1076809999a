import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { isNotOfExtension, ownSchema } from "../../postgres/sql.ts";
import { userSchemas } from "./objects.ts";

/**
 * The roles whose new objects count: those named, the connected one, owners of what is in the database, and
 * ordinary roles that may make objects in one of its schemas (by more than PUBLIC's privilege, which a stack revokes).
 * Only a superuser sets the default privileges of another superuser: for any other admin these are left out.
 */
export async function readCreators(client: pg.Client, named: readonly string[]): Promise<string[]> {
  const rows = await rowsOf<{ name: string }>(
    client,
    `WITH n AS (${userSchemas}),
       owners AS (SELECT DISTINCT relowner AS oid FROM pg_class c JOIN n ON n.oid = c.relnamespace
         WHERE ${isNotOfExtension("pg_class", "c.oid")})
     SELECT r.rolname AS name FROM pg_roles r JOIN pg_roles me ON me.rolname = current_user
     WHERE (me.rolsuper OR NOT r.rolsuper) AND (r.rolname = ANY($1) OR r.rolname = current_user OR r.oid IN (SELECT oid FROM owners)
       OR (NOT r.rolsuper AND r.rolname !~ '^pg_' AND r.rolcanlogin
         AND EXISTS (SELECT FROM n, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a WHERE nspname <> '${ownSchema}'
           AND a.privilege_type = 'CREATE' AND a.grantee <> 0 AND pg_has_role(r.oid, a.grantee, 'USAGE'))))
     ORDER BY 1`,
    [named],
  );
  return rows.map(({ name }) => name);
}

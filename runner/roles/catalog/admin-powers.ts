import type pg from "pg";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { hasStrictRoles, setRolePrivilege } from "../../postgres/server-version.ts";

/** The connected user, as far as it decides what may be done. */
export interface Admin {
  readonly name: string;
  readonly superuser: boolean;
  readonly createsDatabases: boolean;
  readonly createsRoles: boolean;
  /** A managed service's own kind of superuser: it lets extensions be made that PostgreSQL would refuse. */
  readonly ofService: boolean;
}

/** What the connected user may do with another role. */
export interface RolePowers {
  readonly superuser: boolean;
  /** It has the role's rights and may become it, or may join it to do so. */
  readonly canActFor: boolean;
  /** It may become the role as things are, without joining it first. */
  readonly canBecome: boolean;
  /** It may change the role's attributes and settings, and drop it. */
  readonly canChange: boolean;
  /** It may make others members of the role. */
  readonly canGive: boolean;
}

/** What the managed services call the admin's own group. */
const serviceGroups = [
  ...["rds_superuser", "cloudsqlsuperuser", "alloydbsuperuser", "azure_pg_admin", "neon_superuser"],
  ...["doadmin", "aiven_extras", "supabase_admin"],
];

/** Reads who is connected. */
export async function readAdmin(client: pg.Client): Promise<Admin> {
  return oneRow<Admin>(
    client,
    `SELECT rolname AS name, rolsuper AS superuser, rolcreatedb AS "createsDatabases", rolcreaterole AS "createsRoles",
       EXISTS (SELECT FROM pg_roles g WHERE g.rolname = ANY($1) AND pg_has_role(me.oid, g.oid, 'MEMBER')) AS "ofService"
     FROM pg_roles me WHERE rolname = current_user`,
    [serviceGroups],
  );
}

/**
 * What the connected user may do with each of these roles; one that does not exist is left out. Until PostgreSQL 15
 * CREATEROLE rules over every role that is no superuser, since 16 only over those that the user made or administers.
 */
export async function readRolePowers(
  client: pg.Client,
  roles: readonly string[],
): Promise<Map<string, RolePowers>> {
  const rows = await rowsOf<RolePowers & { name: string }>(
    client,
    `WITH me AS (SELECT rolsuper, rolcreaterole, ${hasStrictRoles} AS strict
       FROM pg_roles WHERE rolname = current_user),
     r AS (SELECT oid, rolname, pg_roles.rolsuper, me.rolsuper AS all, me.rolcreaterole AS creates, strict,
       NOT pg_roles.rolsuper AND (me.rolcreaterole AND NOT strict OR pg_has_role(oid, 'MEMBER WITH ADMIN OPTION')) AS rules
       FROM pg_roles, me WHERE rolname = ANY($1))
     SELECT rolname AS name, rolsuper AS superuser,
       r.all OR rules OR pg_has_role(oid, 'USAGE') AND pg_has_role(oid, ${setRolePrivilege})
         AS "canActFor",
       r.all OR pg_has_role(oid, ${setRolePrivilege}) AS "canBecome",
       r.all OR creates AND rules AS "canChange", r.all OR rules AS "canGive"
     FROM r`,
    [roles],
  );
  return new Map(rows.map(({ name, ...powers }) => [name, powers]));
}

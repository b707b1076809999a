import type pg from "pg";
import type { RightsDeclaration } from "../../config/role-declaration.ts";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { readServerVersion } from "../../postgres/server-version.ts";
import { type Admin, readAdmin, readRolePowers } from "./admin-powers.ts";
import { readServerRoles, type ServerRole } from "./attributes.ts";
import { type DeclaredMembers, readCreators, readTakenFunctions, type TakenFunction } from "./creators.ts";
import { type CatalogObject, type DefaultAcl, readDefaults, readObjects } from "./objects.ts";

/** All of the server that rights are planned from, read in one transaction. */
export interface Snapshot {
  readonly database: string;
  /** The server's major version. */
  readonly major: number;
  readonly objects: readonly CatalogObject[];
  readonly defaults: readonly DefaultAcl[];
  /** Roles whose new objects count. */
  readonly creators: readonly string[];
  /** Those of them who make extensions: superusers, and the admin. */
  readonly extensionCreators: readonly string[];
  /** The declared roles that exist. */
  readonly roles: ReadonlyMap<string, ServerRole>;
  readonly admin: Admin;
  /** Whether the admin has a role's privileges, or may join it to have them. */
  readonly canActFor: (role: string) => boolean;
  /** Login roles that connect by PUBLIC's privilege alone and hold others in the database. */
  readonly connectedByPublic: readonly string[];
  /** Functions of extensions that default privileges of such a creator keep from PUBLIC. */
  readonly takenFunctions: readonly TakenFunction[];
}

/**
 * Roles that log in, hold something in the connected database or on it (by themselves, or by a role that they are a member
 * of), and have CONNECT only from PUBLIC.
 */
const connectedByPublicQuery = `
  SELECT r.rolname AS name FROM pg_roles r, pg_database d
  WHERE d.datname = current_database() AND r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> ALL ($1)
    AND EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
      WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT')
    AND NOT EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
      WHERE a.privilege_type = 'CONNECT' AND a.grantee <> 0 AND pg_has_role(r.oid, a.grantee, 'USAGE'))
    AND (EXISTS (SELECT FROM pg_shdepend s WHERE s.dbid = d.oid AND s.refclassid = 'pg_authid'::regclass
        AND s.deptype IN ('a', 'o', 'r') AND pg_has_role(r.oid, s.refobjid, 'USAGE'))
      OR EXISTS (SELECT FROM pg_roles g WHERE g.rolname IN ('pg_read_all_data', 'pg_write_all_data')
        AND pg_has_role(r.oid, g.oid, 'USAGE')))
  ORDER BY 1`;

async function readConnectedByPublic(client: pg.Client, declared: readonly string[]): Promise<string[]> {
  const rows = await rowsOf<{ name: string }>(client, connectedByPublicQuery, [declared]);
  return rows.map(({ name }) => name);
}

/** Which of the roles the admin may act for: for schema public's own owner, whoever owns the database. */
async function readReach(
  client: pg.Client,
  { superuser }: Admin,
  objects: readonly CatalogObject[],
  creators: readonly string[],
): Promise<Snapshot["canActFor"]> {
  if (superuser) return () => true;
  const owners = new Set([...objects.map(({ owner }) => owner), ...creators]);
  const powers = await readRolePowers(client, [...owners]);
  const databaseOwner = objects.find(({ kind }) => kind === "database")?.owner ?? "";
  return (role) => powers.get(role === "pg_database_owner" ? databaseOwner : role)?.canActFor !== false;
}

function membersOf({ owner, creators, roles, attributes = [] }: RightsDeclaration): DeclaredMembers {
  const exact = attributes.filter(({ adopted }) => !adopted);
  return {
    named: [owner, ...creators],
    declared: roles.map(({ role }) => role),
    exact: exact.map(({ role }) => role),
    memberships: exact.flatMap(({ role, memberOf }) => memberOf.map((group) => ({ role, group }))),
  };
}

/** Reads what the plan for these roles needs. */
export async function readSnapshot(client: pg.Client, declaration: RightsDeclaration): Promise<Snapshot> {
  const names = declaration.roles.map(({ role }) => role);
  const excluding = declaration.roles.some(({ exclude }) => exclude.length > 0);
  const { major } = await readServerVersion(client);
  const { database } = await oneRow<{ database: string }>(client, "SELECT current_database() AS database");
  const admin = await readAdmin(client);
  const objects = await readObjects(client, { allColumns: excluding });
  const found = await readCreators(client, membersOf(declaration));
  const creators = found.map(({ name }) => name);
  const extensionCreators = found.filter(({ makesExtensions }) => makesExtensions).map(({ name }) => name);
  return {
    database,
    major,
    objects,
    defaults: await readDefaults(client),
    creators,
    extensionCreators,
    roles: await readServerRoles(client, names, major),
    admin,
    canActFor: await readReach(client, admin, objects, creators),
    connectedByPublic: await readConnectedByPublic(client, names),
    takenFunctions: await readTakenFunctions(client, extensionCreators),
  };
}

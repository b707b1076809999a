import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";

/** A membership of a role in another. */
export interface Membership {
  readonly group: string;
  /** Who gave it. Since PostgreSQL 16 only the grantor's own is revoked, unless REVOKE names another. */
  readonly grantor: string;
  readonly adminOption: boolean;
  /** The member has the group's privileges by itself, and may become it (SET ROLE). */
  readonly effective: boolean;
}

/** A role as the server has it, without what it holds on objects. */
export interface ServerRole {
  readonly name: string;
  readonly login: boolean;
  readonly inherit: boolean;
  /** SUPERUSER, CREATEDB, CREATEROLE, REPLICATION, BYPASSRLS, where it has them. */
  readonly attributes: readonly string[];
  readonly connectionLimit: number;
  /** In milliseconds since 1970; null where its password is valid for ever. */
  readonly validUntil: number | null;
  /** Its own settings in every database, such as `statement_timeout=30s`. */
  readonly settings: readonly string[];
  /** Its own settings in the connected database. */
  readonly settingsHere: readonly string[];
  readonly memberships: readonly Membership[];
}

/** Since PostgreSQL 16 a membership says for itself whether it is inherited; before, the role did. */
const membershipsQuery = (major: number) => `
  SELECT coalesce(json_agg(json_build_object('group', pg_get_userbyid(roleid), 'grantor', pg_get_userbyid(grantor),
    'adminOption', admin_option, 'effective', ${major >= 16 ? "inherit_option AND set_option" : "true"}) ORDER BY 1), '[]')
  FROM pg_auth_members WHERE member = r.oid`;

const rolesQuery = (major: number) => `
  SELECT rolname AS name, rolcanlogin AS login, rolinherit AS inherit, rolconnlimit AS "connectionLimit",
    array_remove(ARRAY[CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
      CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
      CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL) AS attributes,
    CASE WHEN rolvaliduntil < 'infinity' THEN (extract(epoch FROM rolvaliduntil) * 1000)::float8 END AS "validUntil",
    coalesce(rolconfig, '{}') AS settings,
    coalesce((SELECT setconfig FROM pg_db_role_setting WHERE setrole = r.oid
      AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())), '{}') AS "settingsHere",
    (${membershipsQuery(major)}) AS memberships
  FROM pg_roles r WHERE rolname = ANY($1)`;

/** Reads roles by name; one that does not exist is left out. */
export async function readServerRoles(
  client: pg.Client,
  names: readonly string[],
  major: number,
): Promise<ReadonlyMap<string, ServerRole>> {
  const rows = await rowsOf<ServerRole>(client, rolesQuery(major), [names]);
  return new Map(rows.map((row) => [row.name, row]));
}

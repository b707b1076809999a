import type pg from "pg";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { hasStrictRoles, readServerVersion, setRolePrivilege } from "../../postgres/server-version.ts";

/** What is asked of a restore's target before anything is touched. */
export interface TargetFacts {
  readonly version: string;
  readonly major: number;
  readonly encoding: string;
  readonly databaseOwner: string;
  readonly admin: {
    readonly superuser: boolean;
    readonly createsDatabases: boolean;
    /** May act as the owner role: is a member of it, or may become one. */
    readonly becomesOwner: boolean;
    /** The same for the role that owns the database itself. */
    readonly becomesDatabaseOwner: boolean;
  };
  /** Every role of the server. */
  readonly roles: readonly string[];
  /** Undefined where the server has no such role. */
  readonly owner: { readonly superuser: boolean } | undefined;
  readonly tablespaces: readonly string[];
  readonly availableExtensions: readonly string[];
  /** Where the server keeps its own files, and the database's; undefined where this user may not ask. */
  readonly dataDirectory: string | undefined;
  readonly databaseDirectory: string | undefined;
  /** What holds the database in place: replication slots, subscriptions, prepared transactions. */
  readonly anchors: readonly string[];
  /** Sessions that this user may not end. */
  readonly unendable: readonly string[];
}

/**
 * True where the connected user (`me`) may act for a role, as a condition: before version 16 whoever has CREATEROLE may join any role
 * but a superuser, from 16 on those that it has ADMIN OPTION on.
 * https://www.postgresql.org/docs/current/role-membership.html
 */
const mayBecome = (
  role: string,
) => `coalesce(me.rolsuper OR pg_has_role(${role}.oid, 'MEMBER WITH ADMIN OPTION')
  OR (NOT ${hasStrictRoles} AND me.rolcreaterole AND NOT ${role}.rolsuper)
  OR pg_has_role(${role}.oid, ${setRolePrivilege}), false)`;

const factsQuery = `
  SELECT pg_encoding_to_char(d.encoding) AS encoding, b.rolname AS "databaseOwner",
    jsonb_build_object('superuser', me.rolsuper, 'createsDatabases', me.rolsuper OR me.rolcreatedb,
      'becomesOwner', ${mayBecome("o")}, 'becomesDatabaseOwner', ${mayBecome("b")}) AS admin,
    CASE WHEN o.oid IS NOT NULL THEN jsonb_build_object('superuser', o.rolsuper) END AS owner,
    array(SELECT rolname::text FROM pg_roles) AS roles,
    array(SELECT spcname::text FROM pg_tablespace) AS tablespaces,
    array(SELECT name::text FROM pg_available_extensions) AS "availableExtensions",
    CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END AS "dataDirectory",
    nullif(pg_tablespace_location(d.dattablespace), '') AS "databaseDirectory",
    array(SELECT 'replication slot ' || slot_name FROM pg_replication_slots WHERE database = d.datname
      UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = d.datname) AS anchors,
    array(SELECT format('process %s of %I from %s', pid, usename, coalesce(client_addr::text, 'the server itself'))
      FROM pg_stat_activity a WHERE a.datid = d.oid AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
        AND NOT (me.rolsuper OR pg_has_role(usesysid, 'MEMBER') OR usesysid IN (o.oid, b.oid)
          OR (pg_has_role('pg_signal_backend', 'MEMBER') AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = usesysid)))) AS unendable
  FROM pg_database d JOIN pg_roles me ON me.rolname = current_user JOIN pg_roles b ON b.oid = d.datdba
    LEFT JOIN pg_roles o ON o.rolname = $1
  WHERE d.datname = current_database()`;

/** A row of `factsQuery`: what this user may not ask is null. */
type FactsRow = Omit<TargetFacts, "version" | "major" | "owner" | "dataDirectory" | "databaseDirectory"> & {
  readonly owner: TargetFacts["owner"] | null;
  readonly dataDirectory: string | null;
  readonly databaseDirectory: string | null;
};

/** Reads what a restore has to know of the client's database. Changes nothing. */
export async function inspectTarget(client: pg.Client, owner: string): Promise<TargetFacts> {
  const facts = await oneRow<FactsRow>(client, factsQuery, [owner]);
  const subscriptions = await rowsOf<{ name: string }>(
    client,
    "SELECT 'subscription ' || subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()",
  );
  const { major, text } = await readServerVersion(client);
  return {
    ...facts,
    version: text.split(" ")[0] ?? "",
    major,
    owner: facts.owner ?? undefined,
    dataDirectory: facts.dataDirectory ?? undefined,
    databaseDirectory: facts.databaseDirectory ?? undefined,
    anchors: [...facts.anchors, ...subscriptions.map(({ name }) => name)],
  };
}

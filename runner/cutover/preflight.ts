import type pg from "pg";
import { isNotOfExtension } from "../postgres/sql.ts";
import { existingRoles } from "./copy/ownership.ts";
import { writeBlockName } from "./freeze/write-block.ts";
import { isMovedSchema } from "./moved-objects.ts";
import { slotsOf } from "./replication/slots.ts";
import type { CutoverSettings } from "./settings.ts";

/** What was found before a copy. */
export interface PreflightIssues {
  /** A copy or a switch cannot succeed while these stand. */
  readonly blocking: readonly string[];
  /** Does not travel, or travels changed. */
  readonly notes: readonly string[];
}

export function joinIssues(parts: readonly PreflightIssues[]): PreflightIssues {
  return { blocking: parts.flatMap(({ blocking }) => blocking), notes: parts.flatMap(({ notes }) => notes) };
}

interface Facts {
  readonly version: number;
  readonly encoding: string;
  /** Locale by which text sorts, with its provider where that is not the C library. */
  readonly collation: string;
  readonly type: string;
}

/** In columns that differ between the versions. */
const collation = `
  CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'i' THEN 'ICU ' || coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale')
    WHEN 'b' THEN 'builtin ' || (to_jsonb(d) ->> 'datlocale') ELSE datcollate END`;

async function factsOf(client: pg.Client): Promise<Facts> {
  const { rows } = await client.query(
    `SELECT current_setting('server_version_num')::int AS version, pg_encoding_to_char(encoding) AS encoding,
       ${collation} AS collation, datctype AS type FROM pg_database d WHERE datname = current_database()`,
  );
  return rows[0];
}

function compareServers(there: Facts, here: Facts): PreflightIssues {
  const [from, to] = [there, here].map(({ version }) => Math.floor(version / 10_000)) as [number, number];
  const blocking = [
    ...(to < from ? [`the target is PostgreSQL ${to}, older than the source (${from})`] : []),
    ...(there.encoding !== here.encoding && here.encoding !== "UTF8"
      ? [`the target's encoding ${here.encoding} cannot hold every text of the source's ${there.encoding}`]
      : []),
  ];
  const sorting = there.collation !== here.collation || there.type !== here.type;
  const notes = sorting
    ? [
        `text sorts by ${here.collation} on the target, by ${there.collation} on the source; indexes are built anew`,
      ]
    : [];
  return { blocking, notes };
}

async function compareExtensions(source: pg.Client, target: pg.Client): Promise<PreflightIssues> {
  const installed = await source.query(
    "SELECT extname AS name, extversion AS version FROM pg_extension ORDER BY 1",
  );
  const offered = await target.query(
    "SELECT name, coalesce(installed_version, default_version) AS version FROM pg_available_extensions",
  );
  const versions = new Map(offered.rows.map(({ name, version }) => [name as string, version as string]));
  const blocking = installed.rows
    .filter(({ name }) => !versions.has(name))
    .map(({ name }) => `extension ${name} is not installed on the target's server`);
  const notes = installed.rows
    .filter(({ name, version }) => versions.has(name) && versions.get(name) !== version)
    .map(
      ({ name, version }) =>
        `extension ${name} is ${version} on the source, ${versions.get(name)} on the target`,
    );
  return { blocking, notes };
}

const user = `${isMovedSchema("n.nspname")}`;
const relation = "format('%I.%I', n.nspname, c.relname)";
const relations = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace`;
const thisDatabase = "(SELECT oid FROM pg_database WHERE datname = current_database())";

/** Things of the source that stop a freeze. */
const stopsFreeze = `
  SELECT 'prepared transaction ' || gid || ' would outlive the freeze' AS text FROM pg_prepared_xacts WHERE database = current_database()
  UNION ALL SELECT 'subscription ' || subname || ' writes to the source: disable it before the switch'
    FROM pg_subscription WHERE subenabled AND subdbid = ${thisDatabase}`;

/** Things of the source that are not copied as they are. */
const changes = `
  SELECT 'foreign table ' || ${relation} || ': its rows stay on their server' AS text FROM ${relations} WHERE relkind = 'f'
  UNION ALL SELECT 'subscription ' || subname || ' is not copied' FROM pg_subscription WHERE subdbid = ${thisDatabase}
  UNION ALL SELECT 'index ' || ${relation} || ' is invalid, and is left out' FROM pg_index i JOIN ${relations} ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND ${user}
  UNION ALL SELECT 'constraint ' || conname || ' on ' || conrelid::regclass || ' is NOT VALID, and stays so'
    FROM pg_constraint WHERE NOT convalidated
  UNION ALL SELECT 'tablespace ' || spcname || ' is not used on the target' FROM pg_tablespace s
    WHERE EXISTS (SELECT FROM pg_class WHERE reltablespace = s.oid AND oid >= 16384)
  UNION ALL SELECT 'unlogged table ' || ${relation} || ' is copied, and stays unlogged' FROM ${relations}
    WHERE relkind = 'r' AND relpersistence = 'u' AND ${user}`;

/** Tables whose updates and deletes logical replication cannot send, and what it does not send at all. */
const notReplicated = `
  SELECT 'table ' || ${relation} || ' has no replica identity (a primary key): give it one, or name it in cutover.replicaIdentityFull' AS text
    FROM ${relations} WHERE relkind = 'r' AND relpersistence = 'p' AND ${user} AND ${relation} <> ALL ($1)
    AND ${isNotOfExtension("pg_class", "c.oid")}
    AND (relreplident = 'n' OR (relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary AND indimmediate)))
  UNION ALL SELECT 'unlogged table ' || ${relation} || ' is not replicated: make it logged, or use method copy' FROM ${relations}
    WHERE relkind = 'r' AND relpersistence = 'u' AND ${user}
  UNION ALL SELECT 'large objects are not replicated: use method copy' WHERE EXISTS (SELECT FROM pg_largeobject_metadata)
  UNION ALL SELECT 'wal_level of the source is ' || current_setting('wal_level') || ', logical is needed' WHERE current_setting('wal_level') <> 'logical'
  UNION ALL SELECT 'trigger ' || tgname || ' on ' || ${relation} || ' fires in replication too, which brings its writes as well: let it be ENABLE'
    FROM pg_trigger t JOIN ${relations} ON c.oid = t.tgrelid WHERE tgenabled IN ('A', 'R') AND tgname <> '${writeBlockName}' AND ${user}
  UNION ALL SELECT 'the source needs two free replication slots: raise max_replication_slots'
    WHERE current_setting('max_replication_slots')::int < 2 + (SELECT count(*) FROM pg_replication_slots WHERE slot_name <> ALL ($2))`;

async function texts(client: pg.Client, statement: string, args: unknown[] = []): Promise<string[]> {
  return (await client.query(statement, args)).rows.map(({ text }) => text);
}

async function rolesWithoutCounterpart(
  source: pg.Client,
  target: pg.Client,
  owner: string,
): Promise<string[]> {
  const { rows } = await source.query(
    `SELECT DISTINCT pg_get_userbyid(refobjid) AS name, deptype FROM pg_shdepend
     WHERE dbid = ${thisDatabase} AND refclassid = 'pg_authid'::regclass AND deptype IN ('o', 'a') ORDER BY 1, 2 DESC`,
  );
  const here = await existingRoles(target);
  return rows
    .filter(({ name }) => name !== owner && !here.has(name))
    .map(({ name, deptype }) =>
      deptype === "o"
        ? `role ${name} is missing on the target: what it owns goes to the owner`
        : `role ${name} is missing on the target: its grants are left out`,
    );
}

/** Looks for what stands in the way of a copy and a switch. It changes nothing. */
export async function findPreflightIssues(
  source: pg.Client,
  target: pg.Client,
  cutover: CutoverSettings,
): Promise<PreflightIssues> {
  const servers = compareServers(await factsOf(source), await factsOf(target));
  const extensions = await compareExtensions(source, target);
  const replication =
    cutover.method === "replicate"
      ? await texts(source, notReplicated, [cutover.replicaIdentityFull, slotsOf(cutover)])
      : [];
  return {
    blocking: [
      ...servers.blocking,
      ...extensions.blocking,
      ...(await texts(source, stopsFreeze)),
      ...replication,
    ],
    notes: [
      ...servers.notes,
      ...extensions.notes,
      ...(await texts(source, changes)),
      ...(await rolesWithoutCounterpart(source, target, cutover.owners.source)),
    ],
  };
}

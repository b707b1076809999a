import type pg from "pg";
import { oneRow, rowsOf } from "../postgres/rows.ts";
import { readServerVersion } from "../postgres/server-version.ts";
import { isNotOfExtension } from "../postgres/sql.ts";
import { findMissingAbilities, type MissingAbilities } from "./abilities.ts";
import { existingRoles, listOwners, listUserMappings } from "./copy/ownership.ts";
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
  readonly major: number;
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
  const { major } = await readServerVersion(client);
  const facts = await oneRow<Omit<Facts, "major">>(
    client,
    `SELECT pg_encoding_to_char(encoding) AS encoding,
       ${collation} AS collation, datctype AS type FROM pg_database d WHERE datname = current_database()`,
  );
  return { ...facts, major };
}

function compareServers(there: Facts, here: Facts): PreflightIssues {
  const [from, to] = [there.major, here.major];
  const blocking = [
    ...(to < from ? [`the target is PostgreSQL ${to}, older than the source (${from})`] : []),
    ...(there.encoding !== here.encoding && here.encoding !== "UTF8"
      ? [`the target's encoding ${here.encoding} cannot hold every text of the source's ${there.encoding}`]
      : []),
  ];
  const sorting = there.collation !== here.collation || there.type !== here.type;
  const notes = sorting
    ? [
        `text sorts by ${here.collation} on the target, by ${there.collation} on the source; indexes are rebuilt`,
      ]
    : [];
  return { blocking, notes };
}

async function compareExtensions(source: pg.Client, target: pg.Client): Promise<PreflightIssues> {
  interface Extension {
    readonly name: string;
    readonly version: string;
  }
  const installed = await rowsOf<Extension>(
    source,
    "SELECT extname AS name, extversion AS version FROM pg_extension ORDER BY 1",
  );
  const offered = await rowsOf<Extension>(
    target,
    "SELECT name, coalesce(installed_version, default_version) AS version FROM pg_available_extensions",
  );
  const versions = new Map(offered.map(({ name, version }) => [name, version]));
  const blocking = installed
    .filter(({ name }) => !versions.has(name))
    .map(({ name }) => `extension ${name} is not installed on the target's server`);
  const notes = installed
    .filter(({ name, version }) => versions.has(name) && versions.get(name) !== version)
    .map(
      ({ name, version }) =>
        `extension ${name} is ${version} on the source, ${versions.get(name)} on the target`,
    );
  return { blocking, notes };
}

const user = isMovedSchema("n.nspname");
const relation = "format('%I.%I', n.nspname, c.relname)";
const relations = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace`;
const thisDatabase = "(SELECT oid FROM pg_database WHERE datname = current_database())";

/** Things of the source that stop a freeze. */
const stopsFreeze = `
  SELECT 'prepared transaction ' || gid || ' would outlive the freeze' AS text FROM pg_prepared_xacts WHERE database = current_database()
  UNION ALL SELECT 'subscription ' || subname || ' writes to the source: disable it before the switch'
    FROM pg_subscription WHERE subenabled AND subdbid = ${thisDatabase}`;

/** REPLICA IDENTITY USING INDEX whose index was dropped, or is invalid. */
const identityIndexGone = `(c.relreplident = 'i' AND NOT EXISTS (
  SELECT FROM pg_index r WHERE r.indrelid = c.oid AND r.indisreplident AND r.indisvalid))`;

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
  UNION ALL SELECT 'table ' || ${relation} || ' has REPLICA IDENTITY USING INDEX, and the index is gone: it has the default on the target'
    FROM ${relations} WHERE relkind IN ('r', 'p') AND ${user} AND ${identityIndexGone}
  UNION ALL SELECT 'unlogged table ' || ${relation} || ' is copied, and stays unlogged' FROM ${relations}
    WHERE relkind = 'r' AND relpersistence = 'u' AND ${user}`;

/** Tables whose updates and deletes logical replication cannot send, and what it does not send at all. */
const notReplicated = `
  SELECT 'table ' || ${relation} || ' has no replica identity (a primary key): give it one, or name it in cutover.replicaIdentityFull' AS text
    FROM ${relations} WHERE relkind = 'r' AND relpersistence = 'p' AND ${user} AND ${relation} <> ALL ($1)
    AND ${isNotOfExtension("pg_class", "c.oid")}
    AND (relreplident = 'n' OR (relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary AND indimmediate))
      OR ${identityIndexGone})
  UNION ALL SELECT 'unlogged table ' || ${relation} || ' is not replicated: make it logged, or use method copy' FROM ${relations}
    WHERE relkind = 'r' AND relpersistence = 'u' AND ${user}
  UNION ALL SELECT 'large objects are not replicated: use method copy' WHERE EXISTS (SELECT FROM pg_largeobject_metadata)
  UNION ALL SELECT 'wal_level of the source is ' || current_setting('wal_level') || ', logical is needed' WHERE current_setting('wal_level') <> 'logical'
  UNION ALL SELECT 'trigger ' || tgname || ' on ' || ${relation} || ' fires in replication too, which brings its writes as well: let it be ENABLE'
    FROM pg_trigger t JOIN ${relations} ON c.oid = t.tgrelid WHERE tgenabled IN ('A', 'R') AND tgname <> '${writeBlockName}' AND ${user}
  UNION ALL SELECT 'the source needs two free replication slots: raise max_replication_slots'
    WHERE current_setting('max_replication_slots')::int < 2 + (SELECT count(*) FROM pg_replication_slots WHERE slot_name <> ALL ($2))`;

async function texts(client: pg.Client, statement: string, args: unknown[] = []): Promise<string[]> {
  return (await rowsOf<{ text: string }>(client, statement, args)).map(({ text }) => text);
}

/** Roles that own something or hold a right on the source, with `o` or `a` for the one and the other. */
async function rolesInUse(source: pg.Client): Promise<{ name: string; use: "o" | "a" }[]> {
  const owners = new Set((await listOwners(source)).map(({ owner }) => owner));
  const holders = await rowsOf<{ name: string }>(
    source,
    `SELECT DISTINCT pg_get_userbyid(refobjid) AS name FROM pg_shdepend
     WHERE dbid = ${thisDatabase} AND refclassid = 'pg_authid'::regclass AND deptype = 'a' ORDER BY 1`,
  );
  return [
    ...[...owners].sort().map((name) => ({ name, use: "o" as const })),
    ...holders.map(({ name }) => ({ name, use: "a" as const })),
  ];
}

/** What names a role that the target lacks. A policy cannot be left out: without it rows would be seen, or not. */
async function compareRoles(source: pg.Client, target: pg.Client, owner: string): Promise<PreflightIssues> {
  const here = await existingRoles(target);
  const missing = (name: string) => name !== owner && !here.has(name);
  const inUse = (await rolesInUse(source)).filter(({ name }) => missing(name));
  const mappings = (await listUserMappings(source)).filter(
    ({ user }) => user !== "public" && !here.has(user),
  );
  const policies = await rowsOf<{ policy: string; role: string }>(
    source,
    `SELECT format('%I on %s', p.polname, p.polrelid::regclass) AS policy, r.rolname AS role
     FROM pg_policy p JOIN pg_roles r ON r.oid = ANY (p.polroles) ORDER BY 1, 2`,
  );
  return {
    blocking: policies
      .filter(({ role }) => !here.has(role))
      .map(
        ({ policy, role }) =>
          `policy ${policy} is for role ${role}, which is missing on the target: create it`,
      ),
    notes: [
      ...inUse.map(({ name, use }) =>
        use === "o"
          ? `role ${name} is missing on the target: what it owns goes to the owner`
          : `role ${name} is missing on the target: its grants are left out`,
      ),
      ...mappings.map(
        ({ user: name, server }) =>
          `user mapping of ${name} on server ${server} is left out: role ${name} is missing on the target`,
      ),
    ],
  };
}

/** What the administrators of both sides may not do. */
export async function missingAbilities(
  source: pg.Client,
  target: pg.Client,
  settings: CutoverSettings,
): Promise<MissingAbilities> {
  const here = await existingRoles(target);
  const owners = (await listOwners(source)).map(({ owner }) => owner);
  const given = owners.map((owner) =>
    owner === settings.owners.source || !here.has(owner) ? settings.owners.target : owner,
  );
  return findMissingAbilities(source, target, settings, [...new Set(given)]);
}

/** Looks for what stands in the way of a copy and a switch. It changes nothing. */
export async function findPreflightIssues(
  source: pg.Client,
  target: pg.Client,
  cutover: CutoverSettings,
): Promise<PreflightIssues> {
  const servers = compareServers(await factsOf(source), await factsOf(target));
  const extensions = await compareExtensions(source, target);
  const roles = await compareRoles(source, target, cutover.owners.source);
  const abilities = await missingAbilities(source, target, cutover);
  const replication =
    cutover.method === "replicate"
      ? await texts(source, notReplicated, [cutover.replicaIdentityFull, slotsOf(cutover)])
      : [];
  return {
    blocking: [
      ...servers.blocking,
      ...extensions.blocking,
      ...roles.blocking,
      ...abilities.copy,
      ...abilities.freeze,
      ...(await texts(source, stopsFreeze)),
      ...replication,
    ],
    notes: [
      ...servers.notes,
      ...extensions.notes,
      ...(await texts(source, changes)),
      ...roles.notes,
      ...abilities.nothing,
    ],
  };
}

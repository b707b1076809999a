import type pg from "pg";
import type { Archive } from "../dump/archive-parser.ts";

/** What is asked of a restore's target before anything is touched. */
export interface TargetFacts {
  readonly version: string;
  readonly major: number;
  readonly encoding: string;
  readonly databaseOwner: string;
  readonly admin: {
    readonly superuser: boolean;
    readonly createsDatabases: boolean;
    /** May act as the owner role. */
    readonly becomesOwner: boolean;
  };
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

/** Reads what a restore has to know of the client's database; changes nothing. */
export async function inspectTarget(client: pg.Client, owner: string): Promise<TargetFacts> {
  const { rows } = await client.query(
    `SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
       current_setting('server_version_num')::int / 10000 AS major,
       pg_encoding_to_char(d.encoding) AS encoding, pg_get_userbyid(d.datdba) AS "databaseOwner",
       jsonb_build_object('superuser', me.rolsuper, 'createsDatabases', me.rolsuper OR me.rolcreatedb,
         'becomesOwner', me.rolsuper OR (o.oid IS NOT NULL AND pg_has_role(o.oid, 'MEMBER'))) AS admin,
       CASE WHEN o.oid IS NOT NULL THEN jsonb_build_object('superuser', o.rolsuper) END AS owner,
       array(SELECT spcname::text FROM pg_tablespace) AS tablespaces,
       array(SELECT name::text FROM pg_available_extensions) AS "availableExtensions",
       CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END AS "dataDirectory",
       nullif(pg_tablespace_location(d.dattablespace), '') AS "databaseDirectory",
       array(SELECT 'replication slot ' || slot_name FROM pg_replication_slots WHERE database = d.datname
         UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = d.datname) AS anchors,
       array(SELECT format('process %s of %I from %s', pid, usename, coalesce(client_addr::text, 'the server itself'))
         FROM pg_stat_activity a WHERE a.datid = d.oid AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
           AND NOT (me.rolsuper OR pg_has_role(usesysid, 'MEMBER') OR (pg_has_role('pg_signal_backend', 'MEMBER')
             AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = usesysid)))) AS unendable
     FROM pg_database d JOIN pg_roles me ON me.rolname = current_user LEFT JOIN pg_roles o ON o.rolname = $1
     WHERE d.datname = current_database()`,
    [owner],
  );
  const facts = rows[0];
  const subscriptions = await client
    .query(
      "SELECT 'subscription ' || subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()",
    )
    .catch(() => ({ rows: [] })); // readable by superusers only before version 12
  return {
    ...facts,
    owner: facts.owner ?? undefined,
    dataDirectory: facts.dataDirectory ?? undefined,
    databaseDirectory: facts.databaseDirectory ?? undefined,
    anchors: [...facts.anchors, ...subscriptions.rows.map((row) => row.name)],
  };
}

/** An object of the target, in the words of a dump's table of contents. */
interface OwnObject {
  readonly type: string;
  readonly schema: string | null;
  readonly name: string;
}

/** Extension members, our own schema and what belongs to another object are no objects of their own. */
const objectsQuery = `
  WITH members AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype IN ('e', 'i') AND objsubid = 0),
  spaces AS MATERIALIZED (
    SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'pgstack'))
  SELECT * FROM (
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
        WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' ELSE 'TABLE' END AS type,
      'pg_class'::regclass AS class, c.oid, s.nspname AS schema, c.relname AS name
    FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.deptype IN ('a', 'i', 'P') AND d.refobjsubid > 0 AND c.relkind = 'S')
      AND NOT (c.relkind = 'i' AND c.relispartition)
    UNION ALL
    SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END, 'pg_proc'::regclass, p.oid, s.nspname,
      p.proname || '(' || oidvectortypes(p.proargtypes) || ')'
    FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace
    UNION ALL
    SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, 'pg_type'::regclass, t.oid, s.nspname, t.typname
    FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c'
    UNION ALL
    SELECT 'TRIGGER', 'pg_trigger'::regclass, t.oid, s.nspname, c.relname || ' ' || t.tgname
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN spaces s ON s.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT 'SERVER', 'pg_foreign_server'::regclass, oid, NULL, srvname FROM pg_foreign_server
    UNION ALL
    SELECT 'EVENT TRIGGER', 'pg_event_trigger'::regclass, oid, NULL, evtname FROM pg_event_trigger
    UNION ALL
    SELECT 'PUBLICATION', 'pg_publication'::regclass, oid, NULL, pubname FROM pg_publication) objects
  WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = class AND m.objid = objects.oid)
  ORDER BY type, schema, name`;

/** The target's objects that the dump does not hold: a restore drops them. */
async function objectsNotIn(archive: Archive, client: pg.Client): Promise<string[]> {
  await client.query("SELECT set_config('search_path', '', false)");
  const { rows } = await client.query<OwnObject>(objectsQuery);
  await client.query("RESET search_path");
  const key = ({ type, schema, name }: OwnObject) => JSON.stringify([type, schema, name]);
  const held = new Set(archive.entries.map(key));
  return rows
    .filter((row) => !held.has(key(row)))
    .map(({ type, schema, name }) => `${type} ${schema === null ? "" : `${schema}.`}${name}`);
}

const tablesAtOnce = 200;

/** The target's tables that hold rows, our own left out. */
async function tablesWithRows(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgstack')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
    ORDER BY 1`);
  const filled: string[] = [];
  for (let from = 0; from < rows.length; from += tablesAtOnce) {
    const probes = rows
      .slice(from, from + tablesAtOnce)
      .map(({ name }, index) => `SELECT ${from + index} AS at WHERE EXISTS (SELECT FROM ${name})`);
    const found = await client.query<{ at: number }>(probes.join(" UNION ALL "));
    filled.push(...found.rows.map(({ at }) => rows[at]?.name ?? ""));
  }
  return filled;
}

/**
 * What a restore of that dump would drop: objects that the dump does not hold, and with `rows` also the rows of the
 * tables that it does.
 */
export async function lossesBy(archive: Archive, client: pg.Client, rows: boolean): Promise<string[]> {
  const objects = await objectsNotIn(archive, client);
  return rows ? [...objects, ...(await tablesWithRows(client)).map((name) => `rows of ${name}`)] : objects;
}

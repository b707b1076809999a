import type pg from "pg";
import type { Archive } from "../../dump/archive/parser.ts";
import type { HistoryTable } from "../../migrations/history/history.ts";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { isNotOfExtension, isUserSchema, ownSchema } from "../../postgres/sql.ts";

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
    SELECT oid, nspname FROM pg_namespace WHERE ${isUserSchema("nspname")})
  SELECT * FROM (
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
        WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' ELSE 'TABLE' END AS type,
      'pg_class'::regclass AS class, c.oid, s.nspname AS schema, c.relname::text AS name
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

/** The target's objects that the dump does not hold. */
async function objectsNotIn(archive: Archive, client: pg.Client): Promise<OwnObject[]> {
  await client.query("SELECT pg_catalog.set_config('search_path', '', false)");
  const rows = await rowsOf<OwnObject>(client, objectsQuery);
  await client.query("RESET search_path");
  const key = ({ type, schema, name }: OwnObject) => JSON.stringify([type, schema, name]);
  const held = new Set(archive.entries.map(key));
  return rows.filter((row) => !held.has(key(row)));
}

/** A table with its quoted name. */
interface OwnTable {
  readonly schema: string;
  readonly name: string;
  readonly quoted: string;
  /** Where this user cannot look into it: whether the table has any pages. */
  readonly pages: boolean | null;
  /** Of an extension's configuration table: which rows are users' own (a WHERE clause, or nothing for all). */
  readonly condition: string;
}

/**
 * Tables of users, and the configuration tables of extensions, of which a dump holds the rows that users wrote:
 * https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-CONFIG-TABLES
 */
const tablesQuery = `
  WITH configuration AS (
    SELECT item.oid, item.condition FROM pg_extension, unnest(extconfig, extcondition) AS item (oid, condition))
  SELECT n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted,
    CASE WHEN row_security_active(c.oid) OR NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_table_privilege(c.oid, 'SELECT')
      THEN pg_relation_size(c.oid) > 0 END AS pages, coalesce(e.condition, '') AS condition
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN configuration e ON e.oid = c.oid
  WHERE c.relkind = 'r' AND n.nspname <> '${ownSchema}'
    AND (e.oid IS NOT NULL OR (${isUserSchema("n.nspname")} AND ${isNotOfExtension("pg_class", "c.oid")}))
  ORDER BY 1, 2`;

const tablesAtOnce = 200;

/** The target's tables that hold rows, our own left out. */
async function tablesWithRows(client: pg.Client): Promise<OwnTable[]> {
  const tables = await rowsOf<OwnTable>(client, tablesQuery);
  const found = tables.filter(({ pages }) => pages === true);
  const open = tables.filter(({ pages }) => pages === null);
  for (let from = 0; from < open.length; from += tablesAtOnce) {
    const probes = open
      .slice(from, from + tablesAtOnce)
      .map(
        ({ quoted, condition }, index) =>
          `SELECT ${from + index} AS at WHERE EXISTS (SELECT FROM ONLY ${quoted} ${condition})`,
      );
    const rows = await rowsOf<{ at: number }>(client, probes.join(" UNION ALL "));
    found.push(...rows.map(({ at }) => open[at] as OwnTable));
  }
  return found;
}

async function largeObjects(client: pg.Client): Promise<string[]> {
  const sql = "SELECT pg_catalog.count(*)::int AS count FROM pg_catalog.pg_largeobject_metadata";
  const { count } = await oneRow<{ count: number }>(client, sql);
  return count === 0 ? [] : [`large objects: ${count}`];
}

/**
 * What a restore of that dump would drop: objects that the dump does not hold, and all rows.
 * @param history where the stack says which migrations are applied; it is made again, and no loss
 */
export async function dataLossBy(
  archive: Archive,
  client: pg.Client,
  history: HistoryTable | undefined,
): Promise<string[]> {
  const counts = (one: { schema: string | null; name: string }) =>
    one.schema !== history?.schema || one.name !== history.table;
  const objects = (await objectsNotIn(archive, client)).filter(counts);
  const tables = (await tablesWithRows(client)).filter(counts);
  return [
    ...objects.map(({ type, schema, name }) => `${type} ${schema === null ? "" : `${schema}.`}${name}`),
    ...tables.map(({ quoted }) => `rows of ${quoted}`),
    ...(await largeObjects(client)),
  ];
}

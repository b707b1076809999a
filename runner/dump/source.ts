import type pg from "pg";
import { RefusedError } from "../util/errors.ts";

/** What is asked of a server before it is dumped. */
export interface Source {
  readonly database: string;
  /** As the server prints it, such as "15.18". */
  readonly version: string;
  readonly major: number;
  /** Bytes of tables without their indexes, about what an uncompressed dump takes. */
  readonly tableBytes: number;
  /** Ordinary tables with rows of their own. */
  readonly tables: number;
  /** Tables of which row-level security would hide rows from this user. */
  readonly hidden: readonly string[];
  /** Tables that this user may not read. */
  readonly unreadable: readonly string[];
  /** Indexes that are invalid: pg_dump leaves them out. */
  readonly invalidIndexes: readonly string[];
}

const userTables = `
  SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'`;

/** Reads what a dump has to know; changes nothing. */
export async function inspectSource(client: pg.Client): Promise<Source> {
  const { rows } = await client.query(`
    WITH tables AS MATERIALIZED (${userTables}),
    invalid AS (
      SELECT format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname !~ '^pg_')
    SELECT current_database() AS database,
      current_setting('server_version') AS version,
      current_setting('server_version_num')::int / 10000 AS major,
      (SELECT coalesce(sum(pg_table_size(oid)), 0) FROM tables)::float8 AS bytes,
      (SELECT count(*) FROM tables WHERE relkind = 'r')::int AS tables,
      (SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM tables WHERE row_security_active(oid)) AS hidden,
      (SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM tables
        WHERE NOT has_table_privilege(oid, 'SELECT')) AS unreadable,
      (SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM invalid) AS invalid`);
  const row = rows[0];
  return {
    database: row.database,
    version: row.version.split(" ")[0],
    major: row.major,
    tableBytes: row.bytes,
    tables: row.tables,
    hidden: row.hidden,
    unreadable: row.unreadable,
    invalidIndexes: row.invalid,
  };
}

/** Refuses a dump that would lack rows or fail half way. `whole`: all tables with their rows are asked for. */
export function refuseUnreadable(source: Source, user: string, whole: boolean): void {
  if (!whole) return; // pg_dump itself refuses such tables among those chosen (row_security is off in it)
  const list = (names: readonly string[]) => names.map((name) => `\n  ${name}`).join("");
  if (source.unreadable.length > 0)
    throw new RefusedError(
      `"${user}" may not read these tables, so a dump would lack them:${list(source.unreadable)}\n` +
        "Dump as their owner or a superuser, or GRANT pg_read_all_data.",
    );
  if (source.hidden.length > 0)
    throw new RefusedError(
      `Row-level security hides rows of these tables from "${user}", so a dump would lack them:${list(source.hidden)}\n` +
        "Dump as the tables' owner, a superuser or a role with BYPASSRLS.",
    );
}

import type pg from "pg";
import { type ConnectionSettings, withClient } from "../postgres/connection.ts";
import { oneRow } from "../postgres/rows.ts";
import { readServerVersion } from "../postgres/server-version.ts";
import { isNotOfExtension, isNotSystemSchema } from "../postgres/sql.ts";
import { RefusedError } from "../util/errors.ts";

/** What is asked of a server before it is dumped. */
export interface Source {
  readonly database: string;
  /** As the server prints it, such as "15.18". */
  readonly version: string;
  readonly major: number;
  /** Bytes of tables without their indexes, about what an uncompressed dump takes. */
  readonly tableBytes: number;
  /** Bytes of each table, by `schema.name` without quotes. */
  readonly tableSizes: Readonly<Record<string, number>>;
  /** Ordinary tables with rows of their own. */
  readonly tables: number;
  /** Tables of which row-level security would hide rows from this user. */
  readonly hidden: readonly string[];
  /** Tables and sequences that this user may not read. */
  readonly unreadable: readonly string[];
  /** Indexes that are invalid: pg_dump leaves them out. */
  readonly invalidIndexes: readonly string[];
}

/** Tables and sequences whose content a dump holds: not those of extensions, but for configuration tables. */
const userTables = `
  SELECT c.oid, c.relkind, n.oid AS schema, format('%I.%I', n.nspname, c.relname) AS name, n.nspname || '.' || c.relname AS plain
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
    AND ${isNotSystemSchema("n.nspname")}
    AND (${isNotOfExtension("pg_class", "c.oid")} OR c.oid IN (SELECT unnest(extconfig) FROM pg_extension))`;

const sourceQuery = `
  WITH tables AS MATERIALIZED (${userTables}),
  sizes AS MATERIALIZED (SELECT plain, pg_table_size(oid)::float8 AS bytes FROM tables WHERE relkind <> 'S'),
  invalid AS (
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND ${isNotSystemSchema("n.nspname")})
  SELECT current_database() AS database,
    (SELECT coalesce(sum(bytes), 0) FROM sizes) AS "tableBytes",
    (SELECT coalesce(json_object_agg(plain, bytes), '{}') FROM sizes) AS "tableSizes",
    (SELECT count(*) FROM tables WHERE relkind = 'r')::int AS tables,
    (SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM tables WHERE relkind <> 'S' AND row_security_active(oid)) AS hidden,
    (SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM tables
      WHERE NOT (has_schema_privilege(schema, 'USAGE') AND has_table_privilege(oid, 'SELECT'))) AS unreadable,
    (SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM invalid) AS "invalidIndexes"`;

/** Reads what a dump has to know. Changes nothing. */
export async function inspectSource(client: pg.Client): Promise<Source> {
  const found = await oneRow<Omit<Source, "version" | "major">>(client, sourceQuery);
  const { major, text } = await readServerVersion(client);
  return { ...found, version: text.split(" ")[0] ?? "", major };
}

/** A user who may read all that a dump is to hold, and what the server says to that user. */
export interface Reader {
  readonly connection: ConnectionSettings;
  readonly source: Source;
}

/**
 * The first of these users who may read everything; where none may, the first. An administrator who is no superuser may often not read
 * what the owner may.
 */
export async function chooseReader(
  users: readonly [ConnectionSettings, ...ConnectionSettings[]],
): Promise<Reader> {
  let first: Reader | undefined;
  for (const connection of users) {
    const reader = { connection, source: await withClient(connection, inspectSource) };
    if (reader.source.unreadable.length + reader.source.hidden.length === 0) return reader;
    first ??= reader;
  }
  return first as Reader;
}

/** Refuses a dump that would lack rows or fail half way. `whole`: all tables with their rows are asked for. */
export function refuseUnreadable(source: Source, user: string, whole: boolean): void {
  if (!whole) return; // pg_dump itself refuses such tables among those chosen (row_security is off in it)
  const list = (names: readonly string[]) => names.map((name) => `\n  ${name}`).join("");
  if (source.unreadable.length > 0)
    throw new RefusedError(
      `"${user}" may not read these tables and sequences, so a dump would lack them:${list(source.unreadable)}\n` +
        "Dump as their owner or a superuser, or GRANT pg_read_all_data.",
    );
  if (source.hidden.length > 0)
    throw new RefusedError(
      `Row-level security hides rows of these tables from "${user}", so a dump would lack them:${list(source.hidden)}\n` +
        "Dump as the tables' owner, a superuser or a role with BYPASSRLS.",
    );
}

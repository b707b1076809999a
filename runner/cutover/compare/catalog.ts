import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { isMovedSchema } from "../moved-objects.ts";

/** A table whose rows are copied. */
export interface CopyTable {
  readonly schema: string;
  readonly table: string;
  /** Quoted, with its schema. */
  readonly name: string;
  /** On disk, with what is stored out of line. */
  readonly bytes: number;
  /** Of its rows alone, of 8 kB. */
  readonly blocks: number;
  /** The number of its file: another one after the table was rewritten. */
  readonly file: number;
  /** Quoted columns, without generated ones. */
  readonly columns: readonly string[];
  /** Whether every column is of a built-in type whose binary form names no object of its database. */
  readonly plain: boolean;
  /** Which rows, for a table of an extension's settings; else the empty text. */
  readonly where: string;
}

/**
 * Tables of their own right, and those of extensions whose rows the extension declares to be a user's
 * (pg_extension_config_dump): https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-CONFIG-TABLES
 */
const copyTables = `
  SELECT n.nspname AS schema, c.relname AS "table", format('%I.%I', n.nspname, c.relname) AS name,
    pg_table_size(c.oid)::float8 AS bytes, (pg_relation_size(c.oid) / current_setting('block_size')::int)::int AS blocks, c.relfilenode AS file, coalesce(e.condition, '') AS "where",
    coalesce(array_agg(quote_ident(a.attname) ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''), '{}') AS columns,
    coalesce(bool_and(t.oid < 16384 AND t.typtype = 'b' AND (t.typelem = 0 OR t.typelem < 16384)
      AND t.typcategory NOT IN ('R', 'P') AND t.typname !~ '^_?(reg|money|aclitem|xml|tsvector|tsquery|pg_)'), true) AS plain
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN LATERAL (
    SELECT coalesce(x.extcondition[array_position(x.extconfig, c.oid)], '') AS condition, x.extconfig @> ARRAY[c.oid] AS copied
    FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
      AND d.refclassid = 'pg_extension'::regclass) e ON true
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND coalesce(e.copied, e.condition IS NULL)
    AND ${isMovedSchema("n.nspname")}
  GROUP BY 1, 2, c.oid, e.condition
  ORDER BY bytes DESC, name`;

/** The tables whose rows a cutover copies and compares, the biggest first. */
export async function listTables(client: pg.Client): Promise<CopyTable[]> {
  return rowsOf<CopyTable>(client, copyTables);
}

/** A sequence as it stands. */
export interface SequenceState {
  readonly name: string;
  readonly last: string;
  readonly called: boolean;
  /** Negative where it counts down. */
  readonly increment: number;
}

/** Every sequence, with the number it gave last. */
export async function listSequences(client: pg.Client): Promise<SequenceState[]> {
  const rows = await rowsOf<{ name: string; step: string }>(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, s.seqincrement AS step
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
     WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND ${isMovedSchema("n.nspname")}
     ORDER BY name`,
  );
  if (rows.length === 0) return [];
  const parts = rows.map(
    ({ name, step }) =>
      `SELECT ${client.escapeLiteral(name)} AS name, last_value::text AS last, is_called AS called, ${step}::float8 AS increment FROM ${name}`,
  );
  return rowsOf<SequenceState>(client, parts.join(" UNION ALL "));
}

/** Whether `here` would give a number that `there` has given. */
export function isBehind(here: SequenceState, there: SequenceState): boolean {
  const distance = BigInt(here.last) - BigInt(there.last);
  if (distance === 0n) return there.called && !here.called;
  return there.increment > 0 ? distance < 0n : distance > 0n;
}

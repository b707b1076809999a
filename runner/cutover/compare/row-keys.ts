import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { identifier, isNotOfExtension } from "../../postgres/sql.ts";
import { isMovedSchema } from "../moved-objects.ts";
import type { StreamRow, StreamTable } from "../replication/pgoutput.ts";

/** The columns by which a table's rows are told apart in the stream of changes and found in the table. */
export interface RowKey {
  readonly columns: readonly KeyColumn[];
}

interface KeyColumn {
  readonly name: string;
  /** As SQL writes it. */
  readonly type: string;
  /** The equality of its index, with its schema. */
  readonly equals: string;
}

/** The index behind a table's replica identity; where whole rows are sent, that of its primary key. */
const keys = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name, jsonb_agg(jsonb_build_object('name', a.attname,
      'type', format_type(a.atttypid, a.atttypmod), 'equals', format('OPERATOR(%I.%s)', s.nspname, o.oprname)) ORDER BY k.n) AS columns
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
    AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END
  CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k (attnum, n)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
  JOIN pg_opclass p ON p.oid = i.indclass[k.n - 1]
  JOIN pg_amop m ON m.amopfamily = p.opcfamily AND m.amoplefttype = p.opcintype AND m.amoprighttype = p.opcintype AND m.amopstrategy = 3
  JOIN pg_operator o ON o.oid = m.amopopr
  JOIN pg_namespace s ON s.oid = o.oprnamespace
  WHERE c.relkind = 'r' AND k.n <= i.indnkeyatts AND ${isMovedSchema("n.nspname")}
    AND ${isNotOfExtension("pg_class", "c.oid")}
  GROUP BY 1`;

/** The keys of all tables that have one, by the table's name, quoted and with its schema. */
export async function listKeys(client: pg.Client): Promise<Map<string, RowKey>> {
  const rows = await rowsOf<{ name: string; columns: RowKey["columns"] }>(client, keys);
  return new Map(rows.map(({ name, columns }) => [name, { columns }]));
}

/**
 * The key of a row of the stream, as JSON; undefined where the stream does not hold all of it. What a new row leaves
 * out because it is large and unchanged stands in the old one.
 */
export function keyOfRow(
  key: RowKey,
  { columns }: StreamTable,
  row: StreamRow,
  old: StreamRow = [],
): string | undefined {
  const values = key.columns.map(({ name }) => {
    const at = columns.indexOf(name);
    return row[at] ?? old[at];
  });
  return values.includes(undefined) || values.includes(null) ? undefined : JSON.stringify(values);
}

/** Reads something of the rows `t` that have the given keys, each once; the key's columns are the parameters. */
export function lookUp(table: string, { columns }: RowKey, what: string): string {
  const names = columns.map((_, at) => `k${at}`);
  const wanted = columns.map(({ type }, at) => `k${at}::${type} AS k${at}`);
  const found = columns.map(({ name, equals }, at) => `t.${identifier(name)} ${equals} k.k${at}`);
  return `SELECT ${what} FROM (SELECT DISTINCT ${wanted.join(", ")}
      FROM unnest(${columns.map((_, at) => `$${at + 1}::text[]`).join(", ")}) u (${names.join(", ")})) k
    CROSS JOIN LATERAL (SELECT t.* FROM ONLY ${table} t WHERE ${found.join(" AND ")} OFFSET 0) t`; // OFFSET 0: by the index, row by row
}

/** Keys as the parameters of `lookUp`. */
export function keyParameters({ columns }: RowKey, keys: Iterable<string>): string[][] {
  const parsed = [...keys].map((key) => JSON.parse(key) as string[]);
  return columns.map((_, at) => parsed.map((values) => values[at] as string));
}

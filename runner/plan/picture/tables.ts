import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { isNotOfExtension, isUserSchema } from "../../postgres/sql.ts";
import type { PlannedSchema, SchemaColumn, SchemaReference, SchemaTable } from "../model.ts";

/** Tables that people made; a partition is part of its table. */
const isShown = (table: string, namespace: string) =>
  `${isUserSchema(`${namespace}.nspname`)} AND ${table}.relkind IN ('r', 'p', 'f') AND NOT ${table}.relispartition
     AND ${isNotOfExtension("pg_class", `${table}.oid`)}`;

const tablesQuery = `
  SELECT n.nspname AS schema, c.relname AS name,
    coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
        'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
        'key', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)))
        ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${isShown("c", "n")} ORDER BY 1, 2`;

const columnNames = (table: string, numbers: string) =>
  `ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(${numbers}) WITH ORDINALITY AS k (number, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = ${table} AND a.attnum = k.number ORDER BY k.place)`;

const referencesQuery = `
  SELECT f.conname AS name, n.nspname || '.' || c.relname AS "from", ${columnNames("f.conrelid", "f.conkey")} AS columns,
    m.nspname || '.' || r.relname AS "to", ${columnNames("f.confrelid", "f.confkey")} AS referenced
  FROM pg_catalog.pg_constraint f
    JOIN pg_catalog.pg_class c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class r ON r.oid = f.confrelid JOIN pg_catalog.pg_namespace m ON m.oid = r.relnamespace
  WHERE f.contype = 'f' AND ${isShown("c", "n")} AND NOT r.relispartition ORDER BY 2, 1`;

type ColumnRow = Pick<SchemaColumn, "name" | "type" | "notNull" | "key">;
type TableRow = Pick<SchemaTable, "schema" | "name"> & { readonly columns: readonly ColumnRow[] };

/** The tables of a database with columns, keys and references, as the catalog has them. */
export async function readTables(client: pg.Client): Promise<PlannedSchema> {
  const tables = await rowsOf<TableRow>(client, tablesQuery);
  const references = await rowsOf<Omit<SchemaReference, "change">>(client, referencesQuery);
  return {
    tables: tables.map(({ schema, name, columns }) => ({
      schema,
      name,
      change: "none",
      becomes: null,
      because: [],
      columns: columns.map((column) => ({ ...column, change: "none", becomes: null })),
    })),
    references: references.map((one) => ({ ...one, change: "none" })),
  };
}

import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { identifier, isUserSchema, qualified } from "../../postgres/sql.ts";

/** An index as a catalog shows it, with the indexes of partitions that are attached to it. */
export interface IndexNode {
  readonly schema: string;
  readonly name: string;
  /** The table's schema and name. */
  readonly table: readonly [schema: string, name: string];
  /** True for an index of a partitioned table, which has no rows of its own. */
  readonly partitioned: boolean;
  /** As pg_get_indexdef writes it. */
  readonly definition: string;
  /** Of a unique constraint or a primary key: its kind, and when it is checked. */
  readonly constraint?: { readonly kind: string; readonly checked: string };
  readonly attached: readonly IndexNode[];
}

/** The indexes of a database by schema and name, as `qualified` writes them. */
export type IndexTrees = ReadonlyMap<string, IndexNode>;

interface Row {
  readonly schema: string;
  readonly name: string;
  readonly table_schema: string;
  readonly table_name: string;
  readonly partitioned: boolean;
  readonly definition: string;
  readonly kind: string | null;
  readonly checked: string;
  readonly parent_schema: string | null;
  readonly parent_name: string | null;
}

const query = `
  SELECT n.nspname AS schema, c.relname AS name, tn.nspname AS table_schema, t.relname AS table_name,
         c.relkind = 'I' AS partitioned, pg_get_indexdef(c.oid) AS definition,
         CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' END AS kind,
         CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
           || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS checked,
         pn.nspname AS parent_schema, p.relname AS parent_name
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
  LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
  LEFT JOIN pg_class p ON p.oid = h.inhparent
  LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE ${isUserSchema("n.nspname")}
  ORDER BY tn.nspname, t.relname, c.relname`;

function nodeOf(row: Row, below: ReadonlyMap<string, Row[]>): IndexNode {
  const { schema, name, partitioned, definition, kind, checked } = row;
  const attached = (below.get(qualified(schema, name)) ?? []).map((child) => nodeOf(child, below));
  const constraint = kind === null ? {} : { constraint: { kind, checked } };
  const table = [row.table_schema, row.table_name] as const;
  return { schema, name, table, partitioned, definition, attached, ...constraint };
}

const parentOf = ({ parent_schema, parent_name }: Row) =>
  parent_schema === null || parent_name === null ? "" : qualified(parent_schema, parent_name);

/** Reads the indexes of a database. */
export async function readIndexTrees(client: pg.Client): Promise<IndexTrees> {
  const rows = await rowsOf<Row>(client, query);
  const below = Map.groupBy(rows, parentOf);
  return new Map(rows.map((row) => [qualified(row.schema, row.name), nodeOf(row, below)]));
}

/** The statement that builds an index of a table with rows while everybody reads and writes it. */
export function concurrently({ definition }: Pick<IndexNode, "definition">): string {
  return definition.replace(/^CREATE (UNIQUE )?INDEX /, "CREATE $1INDEX CONCURRENTLY ");
}

/** The statement that makes a valid unique index a table's constraint of the same name. */
export function constraintByIndex({ table, name, constraint }: IndexNode): string {
  const { kind, checked } = constraint ?? { kind: "UNIQUE", checked: "" };
  return `ALTER TABLE ${qualified(...table)} ADD CONSTRAINT ${identifier(name)} ${kind} USING INDEX ${identifier(name)}${checked}`;
}

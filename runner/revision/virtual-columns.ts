import { buildFactBase, encodeId, type FactBase } from "@supabase/pg-delta/core";
import type pg from "pg";
import type { ColumnId } from "./managed-view.ts";

/** The version from which on a generated column need not be stored. */
const since = 180_000;

/** Follows the expression of a virtual column, in the facts and thereby in the planner's statements. */
const mark = " /* virtual */";

/** The generated columns that are computed when they are read. The planner takes all for stored ones. */
export async function readVirtualColumns(client: pg.Client, version: number): Promise<ColumnId[]> {
  if (version < since) return [];
  const { rows } = await client.query<Omit<ColumnId, "kind">>(`
    SELECT n.nspname AS schema, c.relname AS table, a.attname AS name
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attrelid >= 16384 AND a.attgenerated = 'v'`);
  return rows.map((row) => ({ kind: "column", ...row }));
}

/** A schema whose virtual columns are marked. Pure. */
export function withVirtualColumns(facts: FactBase, columns: readonly ColumnId[]): FactBase {
  if (columns.length === 0) return facts;
  const virtual = new Set(columns.map((id) => encodeId(id)));
  const marked = facts.facts().map((fact) => {
    const { generatedExpr } = fact.payload;
    if (!virtual.has(encodeId(fact.id)) || typeof generatedExpr !== "string") return fact;
    return { ...fact, payload: { ...fact.payload, generatedExpr: `${generatedExpr}${mark}` } };
  });
  return buildFactBase(marked, [...facts.edges], facts.source);
}

/** Tells the expression of a marked column. */
export function isVirtual(expression: string): boolean {
  return expression.endsWith(mark);
}

/** A statement of the planner's that makes a marked column virtual. Pure. */
export function makingVirtual(sql: string): string {
  return sql.replaceAll(`${mark}) STORED`, ") VIRTUAL");
}

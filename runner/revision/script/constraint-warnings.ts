import type { Fact, FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { type ColumnId, isColumn, pathOf } from "../catalog/managed-view.ts";

/** The columns of its own table that a constraint or an index stands on. */
function columnsOf({ id, parent }: Fact, facts: FactBase): ColumnId[] {
  const columns = facts.outgoingEdges(id).flatMap(({ to }) => (isColumn(to) ? [to] : []));
  return columns.filter(
    ({ schema, table }) => parent !== undefined && `${schema}.${table}` === pathOf(parent),
  );
}

/** True for a column that is new, and NULL in the rows that exist. */
function isEmpty(id: ColumnId, from: FactBase, to: FactBase): boolean {
  const { notNull, identity, generatedExpr } = to.get(id)?.payload ?? {};
  const filled = notNull === true || identity != null || generatedExpr != null;
  return !from.has(id) && !filled && !to.has({ ...id, kind: "default" });
}

/** True for a column that is new, and gets a number of its own in each row that exists. */
function isNumbered(id: ColumnId, from: FactBase, to: FactBase): boolean {
  const value = String(to.get({ ...id, kind: "default" })?.payload.expr);
  return !from.has(id) && (to.get(id)?.payload.identity != null || value.startsWith("nextval("));
}

/** True for what tells all rows of a table apart. */
function isUnique({ id, payload }: Fact): boolean {
  const def = String(payload.def);
  if (id.kind === "index") return def.startsWith("CREATE UNIQUE ") && !def.includes(" WHERE ");
  return id.kind === "constraint" && (payload.type === "p" || payload.type === "u");
}

/** True where fewer of these columns tell the rows apart before. */
function isUniqueBefore(table: StableId, columns: readonly ColumnId[], from: FactBase): boolean {
  const names = new Set(columns.map(({ name }) => name));
  return from.childrenOf(table).some((fact) => {
    const before = isUnique(fact) ? columnsOf(fact, from) : [];
    return before.length > 0 && before.every(({ name }) => names.has(name));
  });
}

/**
 * True for a constraint that every row meets which is there before: NULL in a new column refers to nothing and repeats
 * nothing, and more columns than tell rows apart do so too.
 */
export function everyRowMeets(action: Action, from: FactBase, to: FactBase): boolean {
  const fact = action.produces.map((id) => to.get(id)).find((one) => one?.id.kind === "constraint");
  const table = fact?.parent;
  if (fact === undefined || table === undefined || String(fact.payload.def).includes("NULLS NOT DISTINCT"))
    return false;
  const columns = columnsOf(fact, to);
  const empty = columns.some((id) => isEmpty(id, from, to));
  if (!isUnique(fact))
    return empty && fact.payload.type === "f" && !String(fact.payload.def).includes("MATCH FULL");
  return empty || columns.some((id) => isNumbered(id, from, to)) || isUniqueBefore(table, columns, from);
}

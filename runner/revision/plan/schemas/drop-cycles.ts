import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { qualified } from "../../../postgres/sql.ts";
import { type ColumnId, isColumn, isTable } from "../../catalog/managed-view.ts";
import { plain } from "../../script/sql-text.ts";

const routineKinds = new Set(["function", "procedure", "aggregate"]);

/** True where an object depends on another one, directly or by way of others. */
function reaches(start: StableId, goal: string, facts: FactBase): boolean {
  const seen = new Set<string>();
  const open = [start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const key = encodeId(id);
    if (key === goal) return true;
    if (seen.has(key)) continue;
    seen.add(key);
    open.push(...facts.outgoingEdges(id).map(({ to }) => to));
    if (isTable(id)) open.push(...facts.childrenOf(id).map((fact) => fact.id));
    if (isColumn(id)) open.push(...facts.childrenOf(id).map((fact) => fact.id));
  }
  return false;
}

/** A default, or a generated column, of a table that goes, which calls a routine that depends on the table. */
function isInCycle({ id, payload }: Fact, from: FactBase, to: FactBase): boolean {
  if (id.kind !== "default" && (!isColumn(id) || payload.generatedExpr == null)) return false;
  const { schema, table: name } = id as ColumnId;
  const table: StableId = { kind: "table", schema, name };
  if (to.has(table)) return false;
  const routines = from
    .outgoingEdges(id)
    .filter((edge) => routineKinds.has(edge.to.kind) && !to.has(edge.to));
  return routines.some((edge) => reaches(edge.to, encodeId(table), from));
}

function dropping({ id }: Fact): Action {
  const { schema, table, name } = id as ColumnId;
  const alter = `ALTER TABLE ${qualified(schema, table)}`;
  const column = qualified(name);
  const sql = isColumn(id)
    ? `${alter} DROP COLUMN ${column}`
    : `${alter} ALTER COLUMN ${column} DROP DEFAULT`;
  return { ...plain, sql, verb: "alter", consumes: [id] };
}

/**
 * A schema without the defaults and generated columns that hold a routine while the routine holds their table, and the
 * statements that lead there: none of both could be dropped first. Pure.
 */
export function withoutDropCycles(
  from: FactBase,
  to: FactBase,
): { readonly facts: FactBase; readonly actions: readonly Action[] } {
  const cut = from.facts().filter((fact) => isInCycle(fact, from, to));
  if (cut.length === 0) return { facts: from, actions: [] };
  const gone = new Set(cut.map(({ id }) => encodeId(id)));
  const isGone = (id: StableId | undefined) => id !== undefined && gone.has(encodeId(id));
  const facts = from.facts().filter(({ id, parent }) => !isGone(id) && !isGone(parent));
  const edges = from.edges.filter((edge) => !isGone(edge.from) && !isGone(edge.to));
  return { facts: buildFactBase(facts, edges, from.source), actions: cut.map(dropping) };
}

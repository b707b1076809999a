import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { isColumn } from "./managed-view.ts";

/** True where a table's columns are used by more than itself: by columns and types of its rows, and by tables below it. */
function isUsedWhole(table: StableId, facts: FactBase): boolean {
  return facts
    .incomingEdges(table)
    .some(({ from }) => ["column", "type", "domain", "table"].includes(from.kind));
}

/**
 * The planner adds a generated column to a table that it has just made, or one of a type that it makes later; once another
 * table uses the row type, or stands below, that may be too late. Pure.
 * @param to the schema that the plan leads to
 */
export function withColumnsBeforeUse(actions: readonly Action[], to: FactBase): Action[] {
  const ordered: Action[] = [];
  for (const action of actions) {
    const column = / ADD COLUMN /.test(action.sql) ? action.produces.find(isColumn) : undefined;
    const table = column === undefined ? undefined : to.get(column)?.parent;
    const made = (id: StableId) =>
      ordered.findLastIndex(({ produces }) => produces.some((one) => encodeId(one) === encodeId(id)));
    if (column === undefined || table === undefined || made(table) < 0 || !isUsedWhole(table, to))
      ordered.push(action);
    else {
      const needed = [table, ...action.consumes, ...to.outgoingEdges(column).map((edge) => edge.to)];
      ordered.splice(Math.max(...needed.map(made)) + 1, 0, action);
    }
  }
  return ordered;
}

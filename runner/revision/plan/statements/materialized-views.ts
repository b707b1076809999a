import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { isUnpopulated } from "../../catalog/extras/properties.ts";

/**
 * A plan that creates a materialized view without running its query where it is to hold no data; pg-delta knows only of its
 * definition. Pure.
 */
export function withoutData(actions: readonly Action[], to: FactBase): Action[] {
  const empty = new Set(
    to
      .facts()
      .flatMap(({ id, parent }) => (isUnpopulated(id) && parent !== undefined ? [encodeId(parent)] : [])),
  );
  const created = new Set<string>();
  const isEmpty = (id: StableId) => empty.has(encodeId(id));
  return actions.flatMap((action) => {
    const { sql, produces, verb } = action;
    const view = sql.startsWith("CREATE MATERIALIZED VIEW ") ? produces.find(isEmpty) : undefined;
    if (view !== undefined) {
      created.add(encodeId(view));
      return [{ ...action, sql: `${sql.replace(/;\s*$/, "")} WITH NO DATA` }];
    }
    const property = verb === "create" ? produces.find(isUnpopulated) : undefined;
    const parent = property === undefined ? undefined : to.get(property)?.parent;
    return parent !== undefined && created.has(encodeId(parent)) ? [] : [action];
  });
}

import type { FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";

/** Kinds that share one namespace in a schema: pg_class has one row for each. */
const relationKinds = new Set(["table", "view", "materializedView", "foreignTable", "sequence", "index"]);

/** The name that an object takes among the relations of its schema; a key or exclusion constraint has an index. */
function relationName(id: StableId, facts: FactBase): string | undefined {
  if (!("schema" in id) || !("name" in id)) return undefined;
  const backed = id.kind === "constraint" && /^[pux]$/.test(String(facts.get(id)?.payload.type));
  return backed || relationKinds.has(id.kind) ? JSON.stringify([id.schema, id.name]) : undefined;
}

const names = (ids: readonly StableId[], facts: FactBase) =>
  ids.map((id) => relationName(id, facts)).filter((name) => name !== undefined);

/**
 * Moves a rename before the statement that takes the old name: the planner orders by dependencies, and a key
 * under the name that another table's key is about to leave depends on nothing. Pure.
 */
export function freeNamesFirst(actions: readonly Action[], from: FactBase, to: FactBase): Action[] {
  const leaving = new Map<string, Action>();
  for (const action of actions.filter(({ sql }) => sql.includes(" RENAME ")))
    for (const name of names(action.destroys, from)) leaving.set(name, action);
  if (leaving.size === 0) return [...actions];
  const ordered = new Set<Action>();
  const waiting = new Set<Action>();
  const emit = (action: Action) => {
    if (waiting.has(action)) return;
    waiting.add(action);
    for (const name of names(action.produces, to)) emit(leaving.get(name) ?? action);
    ordered.add(action);
  };
  for (const action of actions) emit(action);
  return [...ordered];
}

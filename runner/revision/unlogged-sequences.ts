import type { FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";

/** The table whose column owns a sequence. */
function ownerOf(sequence: StableId, facts: FactBase): StableId | undefined {
  const owner = facts.get(sequence)?.payload.ownedBy as { schema: string; table: string } | null | undefined;
  return owner ? { kind: "table", schema: owner.schema, name: owner.table } : undefined;
}

/** A serial's sequence is unlogged where its table is (from PostgreSQL 15 on); the planner makes each a logged one. Pure. */
export function unloggedLikeItsTable(action: Action, to: FactBase): Action {
  const [sequence] = action.produces;
  if (sequence === undefined || !action.sql.startsWith("CREATE SEQUENCE ")) return action;
  const owner = ownerOf(sequence, to);
  const unlogged = owner !== undefined && to.get(owner)?.payload.persistence === "u";
  return unlogged ? { ...action, sql: action.sql.replace("CREATE", "CREATE UNLOGGED") } : action;
}

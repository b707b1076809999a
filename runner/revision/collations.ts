import { buildFactBase, encodeId, type Fact, type FactBase } from "@supabase/pg-delta/core";
import { isColumn } from "./managed-view.ts";

/** A column with its collation as a part of its type, the way ALTER COLUMN … TYPE takes it. */
function collatedType(fact: Fact): Fact {
  const { type, collation, ...rest } = fact.payload;
  if (collation === null) return fact;
  return { ...fact, payload: { ...rest, collation: null, type: `${type} COLLATE ${collation}` } };
}

/** True for a column that gets another collation, or must keep its own through a change of its type. */
function changes(before: Fact, after: Fact): boolean {
  const same = before.payload.collation === after.payload.collation;
  return !same || (after.payload.collation !== null && before.payload.type !== after.payload.type);
}

function withTypes(facts: FactBase, columns: ReadonlySet<string>): FactBase {
  const all = facts
    .facts()
    .map((fact) => (isColumn(fact.id) && columns.has(encodeId(fact.id)) ? collatedType(fact) : fact));
  return buildFactBase(all, [...facts.edges], facts.source);
}

/**
 * A column's collation changes in place, by its type: the planner would drop the column with its values and make it
 * again, and forgets the collation where the type changes. Pure.
 */
export function withCollatedTypes(from: FactBase, to: FactBase): readonly [FactBase, FactBase] {
  const changed = from.facts().flatMap((fact) => {
    const after = isColumn(fact.id) ? to.get(fact.id) : undefined;
    return after !== undefined && changes(fact, after) ? [encodeId(fact.id)] : [];
  });
  if (changed.length === 0) return [from, to];
  const columns = new Set(changed);
  return [withTypes(from, columns), withTypes(to, columns)];
}

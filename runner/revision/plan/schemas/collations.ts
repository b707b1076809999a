import { buildFactBase, encodeId, type Fact, type FactBase } from "@supabase/pg-delta/core";
import { isColumn } from "../../catalog/managed-view.ts";

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

/** Both schemas with collations as parts of types, for columns that change theirs. Pure. */
export function withCollatedTypes(from: FactBase, to: FactBase): readonly [FactBase, FactBase] {
  const changed = from.facts().flatMap((fact) => {
    const after = isColumn(fact.id) ? to.get(fact.id) : undefined;
    return after !== undefined && changes(fact, after) ? [encodeId(fact.id)] : [];
  });
  if (changed.length === 0) return [from, to];
  const columns = new Set(changed);
  return [withTypes(from, columns), withTypes(to, columns)];
}

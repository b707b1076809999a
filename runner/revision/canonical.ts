import { buildFactBase, type Fact, type FactBase } from "@supabase/pg-delta/core";

const list = /\(ARRAY\[((?:(?:, )?'(?:[^']|'')*'::character varying)+)\]\)::text\[\]/g;
const item = /'(?:[^']|'')*'::character varying/g;

/**
 * PostgreSQL shows `a IN ('x', 'y')` on a varchar in a form that it reads back as another one, so that the same
 * constraint looks different once it was made from its own definition. This is the form that stays.
 */
export function canonicalSql(sql: string): string {
  if (!sql.includes("::text[]")) return sql;
  return sql.replace(list, (_, items: string) => `ARRAY[${items.replace(item, "($&)::text")}]`);
}

function canonicalFact(fact: Fact): Fact {
  const changed = Object.entries(fact.payload).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string" && canonicalSql(entry[1]) !== entry[1],
  );
  if (changed.length === 0) return fact;
  const payload = Object.fromEntries(changed.map(([name, value]) => [name, canonicalSql(value)]));
  return { ...fact, payload: { ...fact.payload, ...payload } };
}

/** A schema whose definitions are in the form that stays. Pure. */
export function canonical(facts: FactBase): FactBase {
  const before = facts.facts();
  const after = before.map(canonicalFact);
  if (after.every((fact, index) => fact === before[index])) return facts;
  return buildFactBase(after, [...facts.edges], facts.source);
}

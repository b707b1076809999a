import { buildFactBase, encodeId, type Fact, type FactBase } from "@supabase/pg-delta/core";

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

/** NOT NULL of a domain, which from PostgreSQL 17 on is a constraint besides: the domain itself says it already. */
function isDomainsNotNull({ id, parent, payload }: Fact): boolean {
  return id.kind === "constraint" && parent?.kind === "domain" && payload.def === "NOT NULL";
}

/** A schema whose definitions are in the form that stays, each said once. Pure. */
export function canonical(facts: FactBase): FactBase {
  const before = facts.facts();
  const twice = new Set(before.filter(isDomainsNotNull).map(({ id }) => encodeId(id)));
  const once = ({ id, parent }: Fact) =>
    twice.size === 0 || !(twice.has(encodeId(id)) || (parent !== undefined && twice.has(encodeId(parent))));
  const after = before.filter(once).map(canonicalFact);
  if (after.length === before.length && after.every((fact, index) => fact === before[index])) return facts;
  const edges = facts.edges.filter(
    ({ from, to }) => twice.size === 0 || !(twice.has(encodeId(from)) || twice.has(encodeId(to))),
  );
  return buildFactBase(after, edges, facts.source);
}

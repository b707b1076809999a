import { buildFactBase, encodeId, type Fact, type FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";

function isObject({ id }: Fact): boolean {
  return id.kind === "extensionIntent" && id.ext === "pgstack" && id.intentKind === "object";
}

/** True where an object stands on something that is about to go. */
function standsOn(facts: FactBase, fact: Fact, gone: ReadonlySet<string>): boolean {
  return facts.outgoingEdges(fact.id).some(({ to }) => gone.has(encodeId(to)));
}

/**
 * Marks the objects that must be dropped and made again because a function or type below them is: the planner does
 * that by itself for the kinds it knows. Returns `to` itself where there are none.
 */
export function withExtrasMadeAgain(from: FactBase, to: FactBase, actions: readonly Action[]): FactBase {
  const gone = new Set(actions.flatMap(({ destroys }) => destroys.map(encodeId)));
  const shaken = to.facts().filter((fact) => {
    const present = isObject(fact) && fact.payload.again === undefined && from.get(fact.id);
    return present && !gone.has(encodeId(fact.id)) && standsOn(from, present, gone);
  });
  if (shaken.length === 0) return to;
  const marked = to
    .facts()
    .map((fact) => (shaken.includes(fact) ? { ...fact, payload: { ...fact.payload, again: true } } : fact));
  return buildFactBase(marked, [...to.edges], to.source);
}

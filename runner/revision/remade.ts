import { buildFactBase, encodeId, type Fact, type FactBase } from "@supabase/pg-delta/core";
import { isColumn } from "./managed-view.ts";

/** What PostgreSQL cannot alter in a table. */
const placeOf = ({ payload }: Fact) =>
  JSON.stringify([payload.partitionKey, payload.partitionBound, payload.parentTable]);

/** A fact, all that it consists of, and all that stands on any of that. */
function collect(facts: FactBase, fact: Fact, found: Map<string, Fact>): void {
  const key = encodeId(fact.id);
  if (found.has(key)) return;
  found.set(key, fact);
  for (const child of facts.childrenOf(fact.id)) collect(facts, child, found);
  for (const { from } of facts.incomingEdges(fact.id)) {
    const user = facts.get(from);
    if (user !== undefined) collect(facts, user, found);
  }
}

/** True for a sequence that goes with its column. */
function isOwnedBy({ id, payload }: Fact, gone: ReadonlyMap<string, Fact>): boolean {
  const owner = payload.ownedBy as { schema: string; table: string; column: string } | null | undefined;
  if (id.kind !== "sequence" || owner == null) return false;
  const { schema, table, column: name } = owner;
  return gone.has(encodeId({ kind: "column", schema, table, name }));
}

/** Routines that PostgreSQL has bound to columns which get another type: they must go before. */
function boundRoutines(from: FactBase, to: FactBase): Fact[] {
  const bound = from.edges.filter((edge) => {
    if (!(edge.from.kind === "function" || edge.from.kind === "procedure") || !isColumn(edge.to))
      return false;
    const [before, after] = [from.get(edge.to), to.get(edge.to)];
    return after !== undefined && before?.payload.type !== after.payload.type;
  });
  return bound.flatMap((edge) => from.get(edge.from) ?? []);
}

/**
 * A start without the tables that must be dropped and made again (one that becomes partitioned, say), without routines whose
 * columns get another type, and without what stands on them: the planner makes such a table again under views, sequences
 * and keys that are in the way. Pure.
 * @returns the start itself where there are none
 */
export function withoutRemade(from: FactBase, to: FactBase): FactBase {
  const gone = new Map<string, Fact>();
  for (const fact of from.facts()) {
    const after = fact.id.kind === "table" ? to.get(fact.id) : undefined;
    if (after !== undefined && placeOf(fact) !== placeOf(after)) collect(from, fact, gone);
  }
  for (const fact of boundRoutines(from, to)) collect(from, fact, gone);
  if (gone.size === 0) return from;
  for (const fact of from.facts()) if (isOwnedBy(fact, gone)) collect(from, fact, gone);
  const kept = from.facts().filter(({ id }) => !gone.has(encodeId(id)));
  const edges = from.edges.filter((edge) => !gone.has(encodeId(edge.from)) && !gone.has(encodeId(edge.to)));
  return buildFactBase(kept, edges, from.source);
}

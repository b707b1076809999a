import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import { isColumn } from "./managed-view.ts";
import { mustBeRemade } from "./must-be-remade.ts";
import { usesRewrittenRows } from "./row-types.ts";
import { isTable, parentsOf } from "./table-columns.ts";

/** Facts by their encoded ids. */
type Facts = Map<string, Fact>;

/** Foreign keys to the partitioned tables above a partition: they hold on to it too. */
function keysThrough(partition: Fact, facts: FactBase): StableId[] {
  if (partition.payload.partitionBound == null) return [];
  return parentsOf(partition.id, facts).flatMap((parent) => {
    const above = facts.get(parent);
    const users = facts
      .childrenOf(parent)
      .flatMap(({ id }) => facts.incomingEdges(id).map(({ from }) => from));
    const keys = users.filter((id) => facts.get(id)?.payload.type === "f" && id.kind === "constraint");
    return above === undefined ? keys : [...keys, ...keysThrough(above, facts)];
  });
}

/** A fact, all that it consists of, and all that stands on any of that: of a column, its whole table. */
function collect(facts: FactBase, fact: Fact, found: Facts): void {
  const key = encodeId(fact.id);
  if (found.has(key)) return;
  found.set(key, fact);
  for (const child of facts.childrenOf(fact.id)) collect(facts, child, found);
  const table = isColumn(fact.id) && fact.payload.generatedExpr === null ? fact.parent : undefined;
  const users = [
    ...facts.incomingEdges(fact.id).map(({ from }) => from),
    ...(table === undefined ? [] : [table]),
    ...keysThrough(fact, facts),
  ];
  for (const id of users) {
    const user = facts.get(id);
    if (user !== undefined) collect(facts, user, found);
  }
}

/** Partitions that get another bound while foreign keys refer to their rows: these cannot leave, not even for a moment. */
export function heldByKeys(from: FactBase, to: FactBase): Fact[] {
  return from.facts().filter((fact) => {
    const [before, after] = [fact.payload.partitionBound, to.get(fact.id)?.payload.partitionBound];
    return before != null && after != null && before !== after && keysThrough(fact, from).length > 0;
  });
}

/** True for a sequence that goes with its column. */
function isOwnedBy({ id, payload }: Fact, gone: ReadonlyMap<string, Fact>): boolean {
  const owner = payload.ownedBy as { schema: string; table: string; column: string } | null | undefined;
  if (id.kind !== "sequence" || owner == null) return false;
  const { schema, table, column: name } = owner;
  return gone.has(encodeId({ kind: "column", schema, table, name }));
}

/** All that goes with some facts and comes back with them. */
export function standingOn(roots: readonly Fact[], from: FactBase): Facts {
  const gone: Facts = new Map();
  for (const fact of roots) collect(from, fact, gone);
  if (gone.size > 0) for (const fact of from.facts()) if (isOwnedBy(fact, gone)) collect(from, fact, gone);
  return gone;
}

/** A start without what must be dropped and made again, and all that went. */
export interface Remains {
  readonly facts: FactBase;
  readonly gone: ReadonlyMap<string, Fact>;
}

function without(facts: FactBase, gone: ReadonlyMap<string, Fact>): Remains {
  if (gone.size === 0) return { facts, gone };
  const kept = facts.facts().filter(({ id }) => !gone.has(encodeId(id)));
  const edges = facts.edges.filter((edge) => !gone.has(encodeId(edge.from)) && !gone.has(encodeId(edge.to)));
  return { facts: buildFactBase(kept, edges, facts.source), gone };
}

/**
 * A start without what must be dropped and made again (a table that becomes partitioned, say), and without what stands on
 * it: the planner makes such a table again under views, sequences and keys that are in the way. Pure.
 * @returns the start itself where there is nothing of that
 */
export function withoutRemade(from: FactBase, to: FactBase): Remains {
  return without(from, standingOn(mustBeRemade(from, to), from));
}

/** What can only be made when all else is done: tables with columns of a row type that changes, and what stands on them. */
export function withoutLast(from: FactBase, to: FactBase): Remains {
  const tables = from.facts().filter(({ id }) => isTable(id) && usesRewrittenRows(id, from, to));
  return without(
    to,
    standingOn(
      tables.flatMap(({ id }) => to.get(id) ?? []),
      to,
    ),
  );
}

import {
  buildFactBase,
  type DependencyEdge,
  encodeId,
  type Fact,
  type FactBase,
} from "@supabase/pg-delta/core";

const keyDefinition =
  /^(?:PRIMARY KEY|UNIQUE|CREATE UNIQUE INDEX .* USING btree) \(([^()]*)\)(?: INCLUDE \([^()]*\))?$/s;

/** The table and columns that a key or unique index keeps apart; undefined for anything else. */
function keptApart({ id, parent, payload }: Fact): string | undefined {
  if ((id.kind !== "constraint" && id.kind !== "index") || parent === undefined) return undefined;
  const columns = String(payload.def).match(keyDefinition)?.[1];
  return columns === undefined ? undefined : `${encodeId(parent)} ${columns.split(", ").sort().join(", ")}`;
}

/**
 * A schema in which a foreign key stands on all keys of the columns that it refers to: PostgreSQL chooses one of them by
 * the order in which they were made, which may be another one in a copy. Pure.
 */
export function onAllEqualKeys(facts: FactBase): FactBase {
  const keys = Map.groupBy(
    facts.facts().filter((fact) => keptApart(fact) !== undefined),
    keptApart,
  );
  const further = [...keys.values()].flatMap((equal) => {
    if (equal.length === 1) return [];
    const users = equal.flatMap(({ id }) => facts.incomingEdges(id));
    const foreign = users.filter(({ from }) => facts.get(from)?.payload.type === "f");
    return foreign.flatMap((edge) => equal.map(({ id }): DependencyEdge => ({ ...edge, to: id })));
  });
  if (further.length === 0) return facts;
  const known = new Map(
    [...facts.edges, ...further].map((edge) => [
      `${edge.kind} ${encodeId(edge.from)} ${encodeId(edge.to)}`,
      edge,
    ]),
  );
  return buildFactBase(facts.facts(), [...known.values()], facts.source);
}

import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import pg from "pg";

type Index = Fact & {
  readonly id: Extract<StableId, { schema: string; name: string }> & { readonly kind: "index" };
};

const definition = /^(CREATE (?:UNIQUE )?INDEX )(?:"(?:[^"]|"")*"|\S+)( ON )/;

/** All of an index but its name. */
function shapeOf({ parent, payload }: Fact): string {
  const def = String(payload.def).replace(definition, "$1$2");
  return JSON.stringify([parent === undefined ? "" : encodeId(parent), def, payload.valid]);
}

function onlyIn(one: FactBase, other: FactBase): Map<string, Index[]> {
  const found = one.facts().filter((fact): fact is Index => fact.id.kind === "index" && !other.has(fact.id));
  return Map.groupBy(found, shapeOf);
}

function renamed(fact: Index, name: string): Index {
  const def = String(fact.payload.def).replace(definition, `$1${pg.escapeIdentifier(name)}$2`);
  return { ...fact, id: { ...fact.id, name }, payload: { ...fact.payload, def } };
}

/** Renames an index in a schema, and what hangs on it. */
function replaceIn(facts: FactBase, from: Index, to: Index): FactBase {
  const [before, after] = [encodeId(from.id), to.id];
  const swap = (id: StableId): StableId => {
    if (encodeId(id) === before) return after;
    return "target" in id && encodeId(id.target) === before ? { ...id, target: after } : id;
  };
  const moved = facts.facts().map((fact): Fact => {
    if (fact === from) return to;
    const parent = fact.parent === undefined ? {} : { parent: swap(fact.parent) };
    return { ...fact, id: swap(fact.id), ...parent };
  });
  const edges = facts.edges.map((edge) => ({ ...edge, from: swap(edge.from), to: swap(edge.to) }));
  return buildFactBase(moved, edges, facts.source);
}

function action(from: Index, to: Index): Action {
  const name = `${pg.escapeIdentifier(from.id.schema)}.${pg.escapeIdentifier(from.id.name)}`;
  return {
    sql: `ALTER INDEX ${name} RENAME TO ${pg.escapeIdentifier(to.id.name)}`,
    verb: "alter",
    produces: [to.id],
    consumes: [],
    destroys: [from.id],
    releases: [],
    transactionality: "transactional",
    lockClass: "shareUpdateExclusive",
    newSegmentBefore: false,
    dataLoss: "none",
    rewriteRisk: false,
  };
}

/**
 * Indexes that differ by nothing but their name are renamed, not built again. The planner cannot tell: an index's
 * definition holds its name. Pure.
 * @returns the schema after the renames, and the renames
 */
export function withIndexRenames(from: FactBase, to: FactBase): { facts: FactBase; actions: Action[] } {
  const added = onlyIn(to, from);
  let facts = from;
  const actions: Action[] = [];
  for (const [shape, [old, ...others]] of onlyIn(from, to)) {
    const [wanted, ...more] = added.get(shape) ?? [];
    if (old === undefined || wanted === undefined || others.length + more.length > 0) continue;
    facts = replaceIn(facts, old, renamed(old, wanted.id.name));
    actions.push(action(old, wanted));
  }
  return { facts, actions };
}

import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { identifier, qualified } from "../../../postgres/sql.ts";

type Renamable = Extract<StableId, { schema: string; name: string }> & {
  readonly kind: "index" | "sequence" | "constraint";
};
type Renamed = Fact & { readonly id: Renamable };

const kinds = ["index", "sequence", "constraint"];
const isRenamable = (fact: Fact): fact is Renamed => kinds.includes(fact.id.kind);

const definition = /^(CREATE (?:UNIQUE )?INDEX )(?:"(?:[^"]|"")*"|\S+)( ON )/;

/** All of an object but its name. */
function shapeOf({ id, parent, payload }: Fact): string {
  const def = id.kind === "index" ? String(payload.def).replace(definition, "$1$2") : payload.def;
  const rest = Object.entries({ ...payload, def }).filter(([name]) => !name.startsWith("_"));
  return JSON.stringify([id.kind, parent === undefined ? "" : encodeId(parent), rest.sort()]);
}

function onlyIn(one: FactBase, other: FactBase): Map<string, Renamed[]> {
  const found = one.facts().filter((fact): fact is Renamed => isRenamable(fact) && !other.has(fact.id));
  return Map.groupBy(found, shapeOf);
}

/** An object under another's name, which an index has in its definition too. */
function renamed(fact: Renamed, { id, payload }: Renamed): Renamed {
  const def = fact.id.kind === "index" ? { def: payload.def ?? null } : {};
  return { ...fact, id: { ...fact.id, name: id.name }, payload: { ...fact.payload, ...def } };
}

/** A default follows the sequence that it draws from to its new name. */
function follow(fact: Fact, from: Renamed, to: Renamed, wanted: FactBase): Fact {
  const after = fact.id.kind === "default" ? wanted.get(fact.id) : undefined;
  if (from.id.kind !== "sequence" || after === undefined || typeof fact.payload.expr !== "string")
    return fact;
  const draws = wanted.outgoingEdges(fact.id).some((edge) => encodeId(edge.to) === encodeId(to.id));
  const plain = (text: unknown) => String(text).replace(/'(?:[^']|'')*'::regclass/, "");
  if (!draws || plain(fact.payload.expr) !== plain(after.payload.expr)) return fact;
  return { ...fact, payload: { ...fact.payload, expr: after.payload.expr ?? null } };
}

/** Renames an object in a schema, and what hangs on it. */
function replaceIn(facts: FactBase, from: Renamed, to: Renamed, wanted: FactBase): FactBase {
  const [before, after] = [encodeId(from.id), to.id];
  const swap = (id: StableId): StableId => {
    if (encodeId(id) === before) return after;
    return "target" in id && encodeId(id.target) === before ? { ...id, target: after } : id;
  };
  const drawing = new Set(facts.incomingEdges(from.id).map((edge) => encodeId(edge.from)));
  const moved = facts.facts().map((fact): Fact => {
    if (fact === from) return to;
    const parent = fact.parent === undefined ? {} : { parent: swap(fact.parent) };
    const followed = drawing.has(encodeId(fact.id)) ? follow(fact, from, to, wanted) : fact;
    return { ...followed, id: swap(fact.id), ...parent };
  });
  const edges = facts.edges.map((edge) => ({ ...edge, from: swap(edge.from), to: swap(edge.to) }));
  return buildFactBase(moved, edges, facts.source);
}

function statement({ id, parent }: Renamed, name: string): string {
  const [from, to] = [identifier(id.name), identifier(name)];
  if (id.kind !== "constraint")
    return `ALTER ${id.kind.toUpperCase()} ${qualified(id.schema, id.name)} RENAME TO ${to}`;
  const owner = parent as { schema: string; name: string };
  const kind = parent?.kind === "domain" ? "DOMAIN" : "TABLE";
  return `ALTER ${kind} ${qualified(owner.schema, owner.name)} RENAME CONSTRAINT ${from} TO ${to}`;
}

function action(from: Renamed, to: Renamed): Action {
  return {
    sql: statement(from, to.id.name),
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
 * Indexes, sequences and constraints that differ by nothing but their name are renamed, not rebuilt. pg-delta cannot
 * tell of an index, whose definition holds its name, and gives up where renames of the others wait for each other. Pure.
 * @returns the schema after the renames, and the renames
 */
export function withSilentRenames(from: FactBase, to: FactBase): { facts: FactBase; actions: Action[] } {
  const added = onlyIn(to, from);
  let facts = from;
  const actions: Action[] = [];
  for (const [shape, [old, ...others]] of onlyIn(from, to)) {
    const [wanted, ...more] = added.get(shape) ?? [];
    if (old === undefined || wanted === undefined || others.length + more.length > 0) continue;
    const current = facts.get(old.id) as Renamed;
    facts = replaceIn(facts, current, renamed(current, wanted), to);
    actions.push(action(old, wanted));
  }
  return { facts, actions };
}

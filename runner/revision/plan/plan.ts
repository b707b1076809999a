import type { Delta, FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { pathOf } from "../catalog/managed-view.ts";
import { creationPasses, passes } from "./passes.ts";
import { runPasses, type SchemaPair } from "./schema-pair.ts";

/** What leads from one schema to another, in the order in which it works. */
export interface Changes {
  readonly actions: readonly Action[];
  readonly deltas: readonly Delta[];
  /** True where a function's body may name what is created later in the same file. */
  readonly forwardReferences: boolean;
}

/** Plans the migration from one managed view to another. Pure. Throws UserError for what PostgreSQL has no way to do. */
export function changesBetween(pair: SchemaPair): Changes {
  const { actions, deltas, forwardReferences } = runPasses(passes, pair);
  return {
    actions,
    deltas: deltas.filter(({ verb }) => verb !== "link" && verb !== "unlink"),
    forwardReferences,
  };
}

/** Plans how a schema is created in an empty database. Pure. */
export function creationOf(schema: FactBase, empty: FactBase, roles: readonly string[]): readonly Action[] {
  return runPasses(creationPasses, { direction: "up", from: empty, to: schema, roles }).actions;
}

/** What a person calls an object. */
function nameOf(id: StableId): string {
  if (id.kind === "extensionIntent") return id.key;
  if ("target" in id) return `${id.kind} on ${nameOf(id.target)}`;
  return `${id.kind} ${pathOf(id)}`;
}

/** A short line for a person: what differs, without SQL. */
export function describeDelta(delta: Delta): string {
  if (delta.verb === "add") return `${nameOf(delta.fact.id)} is missing`;
  if (delta.verb === "remove") return `unexpected ${nameOf(delta.fact.id)}`;
  if (delta.verb !== "set")
    return `${nameOf(delta.edge.from)} depends on ${nameOf(delta.edge.to)} in one of the two`;
  const [found, expected] = [delta.from, delta.to].map((value) => JSON.stringify(value));
  return `${nameOf(delta.id)} differs in ${delta.attr}: found ${found}, expected ${expected}`;
}

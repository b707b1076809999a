import type { Delta, Fact, FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import type { Remains } from "./schemas/rebuilt-objects.ts";

/** Two schemas and the migration between them: the up migration leads to the models, the down migration back. */
export interface SchemaPair {
  readonly direction: "up" | "down";
  readonly from: FactBase;
  readonly to: FactBase;
  /** Roles that exist on the server, whom grants and policies may name. */
  readonly roles: readonly string[];
  /** The owners of the database's objects, by encoded ids, where they are others than the role that reads the database. */
  readonly owners?: ReadonlyMap<string, string> | undefined;
}

/** A plan in the making: the passes fill it one after the other. */
export interface Draft {
  /** Both schemas as they were read. */
  readonly pair: SchemaPair;
  /** The start in the form in which it is compared: what differs from `to` is a difference. */
  readonly compared: FactBase;
  /** The start after the statements of `opening`, whole. */
  readonly present: FactBase;
  /** The schemas between which pg-delta plans: `from` is the start without what the passes write themselves. */
  readonly from: FactBase;
  readonly to: FactBase;
  /** Objects of `present` that are dropped and created again, by their encoded ids. */
  readonly rebuilt: ReadonlyMap<string, Fact>;
  /** `to` without what can only be created when all else is done. */
  readonly withoutLast: Remains;
  /** Statements that come before all others. */
  readonly opening: readonly Action[];
  /** Statements that drop the rebuilt objects. */
  readonly drops: readonly Action[];
  /** Renames that pg-delta knows nothing of. */
  readonly renames: readonly Action[];
  readonly actions: readonly Action[];
  /** Statements for what `withoutLast` lacks. */
  readonly last: readonly Action[];
  readonly deltas: readonly Delta[];
  /** True where a function's body may name what is created later in the same file. */
  readonly forwardReferences: boolean;
}

/** A draft in which nothing is planned yet. */
export function draftOf(pair: SchemaPair): Draft {
  const { from, to } = pair;
  return {
    pair,
    compared: from,
    present: from,
    from,
    to,
    rebuilt: new Map(),
    withoutLast: { facts: to, gone: new Map() },
    opening: [],
    drops: [],
    renames: [],
    actions: [],
    last: [],
    deltas: [],
    forwardReferences: false,
  };
}

/** One step of planning, which does one thing that pg-delta's plan does not do. */
export interface Pass {
  readonly name: string;
  readonly run: (draft: Draft) => Draft;
  /** Names of passes that must have run before. */
  readonly after?: readonly string[];
  /** Why it is needed: what goes wrong without it. */
  readonly reason: string;
  /** What pg-delta would have to do so that the pass can be deleted. None where the pass is pgstack's own business. */
  readonly upstream?: string;
  /** True for a pass that is also needed where a schema is created in an empty database. */
  readonly creates?: true;
}

/** Runs passes in their order. Pure. */
export function runPasses(passes: readonly Pass[], pair: SchemaPair): Draft {
  return passes.reduce((draft, { run }) => run(draft), draftOf(pair));
}

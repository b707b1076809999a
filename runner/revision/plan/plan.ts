import {
  buildFactBase,
  type Delta,
  diff,
  encodeId,
  type Fact,
  type FactBase,
  type StableId,
} from "@supabase/pg-delta/core";
import { type Action, type Plan, type PlanOptions, plan } from "@supabase/pg-delta/plan";
import { ExitCode, UserError } from "../../util/errors.ts";
import { extrasRules } from "../catalog/extras/handler.ts";
import { withExtrasMadeAgain } from "../catalog/extras/rebuild.ts";
import { isColumn, pathOf } from "../catalog/managed-view.ts";
import { onAllEqualKeys } from "../catalog/normalize.ts";
import { withRowsKept } from "../rows/preserve-rows.ts";
import { completed } from "./complete-actions.ts";
import { withKeysDroppedAlong } from "./dropped-tables.ts";
import { withSilentRenames } from "./equal-renames.ts";
import { defaultsAfterRenames, freeNamesFirst, renamesInFront, withNamesAside } from "./name-conflicts.ts";
import { withNotNullSettled } from "./not-null.ts";
import { type Remains, withoutLast, withoutRemade } from "./rebuilt-objects.ts";
import { withExpressionsDropped, withTypesChangedOnce } from "./type-changes.ts";

/** What leads from one schema to another, in the order in which it works. */
export interface Changes {
  readonly actions: readonly Action[];
  readonly deltas: readonly Delta[];
  /** True where a function's body may name what is made later in the same file. */
  readonly forwardReferences: boolean;
}

/** Kinds without rows of their own: one that differs by nothing but its name is renamed without asking. */
const renamedWithoutAsking = new Set(["trigger", "policy", "function", "procedure", "foreignTable"]);

type Candidate = Plan["renameCandidates"][number];

/** A plan that renames instead of making anew; undefined where its statements would wait for each other. */
function withRenames(
  from: FactBase,
  to: FactBase,
  options: PlanOptions,
  renames: Candidate[],
): Plan | undefined {
  if (renames.length === 0) return undefined;
  try {
    return plan(from, to, { ...options, acceptRenames: renames });
  } catch (error) {
    if (/dependency cycle/.test((error as Error).message)) return undefined;
    throw error;
  }
}

function optionsFor(assumedRoles: readonly string[]): PlanOptions {
  return {
    scope: "database",
    assumedRoles: [...assumedRoles],
    intentRules: extrasRules,
    redactSecrets: false,
  };
}

function planned(from: FactBase, to: FactBase, assumedRoles: readonly string[]): Plan {
  const options: PlanOptions = { ...optionsFor(assumedRoles), renames: "prompt" };
  const first = plan(from, to, options);
  const renames = first.renameCandidates.filter(
    ({ kind, status }) => status === "unambiguous" && renamedWithoutAsking.has(kind),
  );
  const second = withRenames(from, to, options, renames) ?? first;
  const again = withExtrasMadeAgain(from, to, second.actions);
  return again === to ? second : { ...planned(from, again, assumedRoles), deltas: second.deltas };
}

/** The same, but some things are made last. */
function plannedInTwo(
  from: FactBase,
  { facts, gone }: Remains,
  to: FactBase,
  assumedRoles: readonly string[],
): Plan {
  const first = planned(from, facts, assumedRoles);
  if (gone.size === 0) return first;
  const last = planned(facts, to, assumedRoles);
  const preamble = [...first.preamble, ...last.preamble];
  return { ...first, preamble, actions: [...first.actions, ...last.actions] };
}

/** The planner refuses by throwing: what it cannot do is a difference that stays, with the reason it gives. */
function attempt<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    const message = `This revision cannot be written: ${(error as Error).message}`;
    throw new UserError(message, { exitCode: ExitCode.differs, cause: error });
  }
}

/**
 * Plans the way from one managed view to another. Pure. Throws UserError for what PostgreSQL has no way to do.
 * @param roles those that exist on the server, whom grants and policies may name
 */
export function changesBetween(from: FactBase, to: FactBase, roles: readonly string[]): Changes {
  const [before, after] = withCollatedTypes(onAllEqualKeys(from), onAllEqualKeys(to));
  const plain = withExpressionsDropped(before, after);
  const left = withoutRemade(plain.facts, after);
  const renames = withSilentRenames(left.facts, after);
  const last = withoutLast(plain.facts, after);
  const { drops, rest } = attempt(() => ({
    drops: left.gone.size === 0 ? [] : planned(plain.facts, left.facts, roles).actions,
    rest: plannedInTwo(renames.facts, last, after, roles),
  }));
  const typed = withTypesChangedOnce(rest.actions, renames.facts, after);
  const settled = withNotNullSettled(typed, renames.facts);
  const kept = withRowsKept(drops, settled, { from: plain.facts, to: after, gone: left.gone });
  const all = [...plain.actions, ...kept.drops, ...renamesInFront(renames.actions, kept.actions, from, to)];
  const deltas = renames.facts === before && last.gone.size === 0 ? rest.deltas : diff(before, after);
  const named = withNamesAside(freeNamesFirst(completed(all, to), from, to), from, to);
  const sorted = defaultsAfterRenames(named, to);
  return {
    actions: withKeysDroppedAlong(sorted, from),
    deltas: deltas.filter(({ verb }) => verb !== "link" && verb !== "unlink"),
    forwardReferences: rest.preamble.some(({ name }) => name === "check_function_bodies"),
  };
}

/** Plans how a schema is made in an empty database, where no name can be an old one's. Pure. */
export function creationOf(schema: FactBase, empty: FactBase, roles: readonly string[]): Action[] {
  return completed(attempt(() => plan(empty, schema, optionsFor(roles))).actions, schema);
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
  if (delta.verb === "remove") return `${nameOf(delta.fact.id)} is too much`;
  if (delta.verb !== "set")
    return `${nameOf(delta.edge.from)} depends on ${nameOf(delta.edge.to)} in one of the two`;
  const [found, expected] = [delta.from, delta.to].map((value) => JSON.stringify(value));
  return `${nameOf(delta.id)} differs in ${delta.attr}: found ${found}, expected ${expected}`;
}

/** A column with its collation as a part of its type, the way ALTER COLUMN … TYPE takes it. */
function collatedType(fact: Fact): Fact {
  const { type, collation, ...rest } = fact.payload;
  if (collation === null) return fact;
  return { ...fact, payload: { ...rest, collation: null, type: `${type} COLLATE ${collation}` } };
}

/** True for a column that gets another collation, or must keep its own through a change of its type. */
function changes(before: Fact, after: Fact): boolean {
  const same = before.payload.collation === after.payload.collation;
  return !same || (after.payload.collation !== null && before.payload.type !== after.payload.type);
}

function withTypes(facts: FactBase, columns: ReadonlySet<string>): FactBase {
  const all = facts
    .facts()
    .map((fact) => (isColumn(fact.id) && columns.has(encodeId(fact.id)) ? collatedType(fact) : fact));
  return buildFactBase(all, [...facts.edges], facts.source);
}

/**
 * A column's collation changes in place, by its type: the planner would drop the column with its values and make it
 * again, and forgets the collation where the type changes. Pure.
 */
export function withCollatedTypes(from: FactBase, to: FactBase): readonly [FactBase, FactBase] {
  const changed = from.facts().flatMap((fact) => {
    const after = isColumn(fact.id) ? to.get(fact.id) : undefined;
    return after !== undefined && changes(fact, after) ? [encodeId(fact.id)] : [];
  });
  if (changed.length === 0) return [from, to];
  const columns = new Set(changed);
  return [withTypes(from, columns), withTypes(to, columns)];
}

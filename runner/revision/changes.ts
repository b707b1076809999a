import type { Delta, FactBase, StableId } from "@supabase/pg-delta/core";
import { type Action, type Plan, type PlanOptions, plan } from "@supabase/pg-delta/plan";
import { ExitCode, UserError } from "../user-error.ts";
import { withCollatedTypes } from "./collations.ts";
import { completed } from "./completed.ts";
import { withKeysDroppedAlong } from "./dropped-tables.ts";
import { onAllEqualKeys } from "./equal-keys.ts";
import { withExtrasMadeAgain } from "./extras/again.ts";
import { extrasRules } from "./extras/extras.ts";
import { withExpressionsDropped } from "./generated-columns.ts";
import { pathOf } from "./managed-view.ts";
import { defaultsAfterRenames, freeNamesFirst, renamesInFront } from "./name-order.ts";
import { withNamesAside } from "./names-aside.ts";
import { withoutRemade } from "./remade.ts";
import { withSilentRenames } from "./silent-renames.ts";
import { piecesOf } from "./sql-text.ts";
import { withTypesChangedOnce } from "./type-changes.ts";

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
  const renames = withSilentRenames(left, after);
  const { drops, rest, deltas } = attempt(() => {
    const main = planned(renames.facts, after, roles);
    return {
      drops: left === plain.facts ? [] : planned(plain.facts, left, roles).actions,
      rest: main,
      deltas: (renames.facts === before ? main : plan(before, after, optionsFor(roles))).deltas,
    };
  });
  const actions = withTypesChangedOnce(rest.actions, renames.facts, after);
  const all = [...plain.actions, ...drops, ...renamesInFront(renames.actions, actions, from, to)];
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

/** Runs of actions that one transaction may hold; a run that may hold none is marked. */
export interface Segment {
  readonly actions: readonly Action[];
  readonly transactional: boolean;
}

const newValue = /^ALTER TYPE .* ADD VALUE ('(?:[^']|'')*')/s;

/** A value that was just added to an enum must be committed before anything may use it (error 55P04). */
function uses({ sql }: Action, values: readonly string[]): boolean {
  if (values.length === 0 || newValue.test(sql)) return false;
  if (/ALTER COLUMN .* TYPE /s.test(sql)) return true; // rows may be converted to it
  const literals = piecesOf(sql).filter(({ kind }) => kind === "literal");
  return values.some((value) => literals.some(({ text }) => text.includes(value.slice(1, -1))));
}

/** Cuts a plan where PostgreSQL needs a commit, or no transaction at all. */
export function segmentsOf(actions: readonly Action[]): Segment[] {
  const segments: { actions: Action[]; transactional: boolean }[] = [];
  let uncommitted: string[] = [];
  for (const action of actions) {
    const transactional = action.transactionality !== "nonTransactional";
    const last = segments.at(-1);
    if (!transactional || last?.transactional !== true || uses(action, uncommitted)) {
      segments.push({ actions: [], transactional });
      uncommitted = [];
    }
    segments.at(-1)?.actions.push(action);
    const value = action.sql.match(newValue)?.[1];
    if (value !== undefined) uncommitted.push(value);
  }
  return segments;
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

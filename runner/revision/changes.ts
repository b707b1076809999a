import { type Delta, encodeId, type FactBase } from "@supabase/pg-delta/core";
import { type Action, type Plan, type PlanOptions, plan } from "@supabase/pg-delta/plan";
import { withIndexRenames } from "./index-renames.ts";
import { freeNamesFirst } from "./name-order.ts";
import { piecesOf } from "./sql-text.ts";

/** What leads from one schema to another, in the order in which it works. */
export interface Changes {
  readonly actions: readonly Action[];
  readonly deltas: readonly Delta[];
  /** True where a function's body may name what is made later in the same file. */
  readonly forwardReferences: boolean;
}

/** Kinds without rows of their own: one that differs by nothing but its name is renamed without asking. */
const renamedWithoutAsking = new Set([
  "constraint",
  "sequence",
  "trigger",
  "policy",
  "type",
  "domain",
  "function",
  "procedure",
  "foreignTable",
]);

function planned(from: FactBase, to: FactBase, assumedRoles: string[]): Plan {
  const options: PlanOptions = { scope: "database", renames: "prompt", assumedRoles };
  const first = plan(from, to, options);
  const renames = first.renameCandidates.filter(
    ({ kind, status }) => status === "unambiguous" && renamedWithoutAsking.has(kind),
  );
  return renames.length === 0 ? first : plan(from, to, { ...options, acceptRenames: renames });
}

/**
 * Plans the way from one managed view to another. Pure.
 * @param roles those that exist on the server, whom grants and policies may name
 */
export function changesBetween(from: FactBase, to: FactBase, roles: readonly string[]): Changes {
  const renames = withIndexRenames(from, to);
  const { actions, deltas, preamble } = planned(renames.facts, to, [...roles]);
  return {
    actions: freeNamesFirst([...renames.actions, ...actions], from, to),
    deltas,
    forwardReferences: preamble.some(({ name }) => name === "check_function_bodies"),
  };
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

/** A short line for a person: what differs, without SQL. */
export function describeDelta(delta: Delta): string {
  if (delta.verb === "add" || delta.verb === "remove")
    return `${delta.verb === "add" ? "missing" : "too much"}: ${encodeId(delta.fact.id)}`;
  if (delta.verb === "set")
    return `${encodeId(delta.id)}: ${delta.attr} is ${JSON.stringify(delta.from)}, expected ${JSON.stringify(delta.to)}`;
  return `${delta.verb === "link" ? "missing" : "too much"}: ${encodeId(delta.edge.from)} on ${encodeId(delta.edge.to)}`;
}

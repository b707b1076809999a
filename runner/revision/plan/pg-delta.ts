import type { FactBase } from "@supabase/pg-delta/core";
import { type Plan, type PlanOptions, plan } from "@supabase/pg-delta/plan";
import { ExitCode, UserError } from "../../util/errors.ts";
import { extrasRules } from "../catalog/extras/handler.ts";
import { withExtrasRebuilt } from "../catalog/extras/rebuild.ts";

/** Kinds without rows of their own: one that differs by nothing but its name is renamed without asking. */
const renamedWithoutAsking = new Set(["trigger", "policy", "function", "procedure", "foreignTable"]);

type Candidate = Plan["renameCandidates"][number];

function optionsFor(assumedRoles: readonly string[]): PlanOptions {
  return {
    scope: "database",
    assumedRoles: [...assumedRoles],
    intentRules: extrasRules,
    redactSecrets: false,
  };
}

/** A plan that renames instead of dropping and creating; undefined where its statements would wait for each other. */
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

function planned(from: FactBase, to: FactBase, assumedRoles: readonly string[]): Plan {
  const options: PlanOptions = { ...optionsFor(assumedRoles), renames: "prompt" };
  const first = plan(from, to, options);
  const renames = first.renameCandidates.filter(
    ({ kind, status }) => status === "unambiguous" && renamedWithoutAsking.has(kind),
  );
  const second = withRenames(from, to, options, renames) ?? first;
  const rebuilt = withExtrasRebuilt(from, to, second.actions);
  return rebuilt === to ? second : { ...planned(from, rebuilt, assumedRoles), deltas: second.deltas };
}

/** pg-delta refuses by throwing: what it cannot do is a difference that stays, with the reason that it gives. */
function attempt<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    const message = `This revision cannot be written: ${(error as Error).message}`;
    throw new UserError(message, { exitCode: ExitCode.differs, cause: error });
  }
}

/** pg-delta's plan between two schemas. Pure. Throws UserError for what PostgreSQL has no way to do. */
export function plannedChanges(from: FactBase, to: FactBase, roles: readonly string[]): Plan {
  return attempt(() => planned(from, to, roles));
}

/** pg-delta's plan for a schema in an empty database, where no name can be an old one's. Pure. */
export function plannedCreation(empty: FactBase, schema: FactBase, roles: readonly string[]): Plan {
  return attempt(() => plan(empty, schema, optionsFor(roles)));
}

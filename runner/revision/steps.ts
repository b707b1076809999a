import type { FactBase } from "@supabase/pg-delta/core";
import { readCatalog } from "./catalog.ts";
import { type Changes, changesBetween, type Segment, segmentsOf } from "./changes.ts";
import { managedView, withValidIndexes } from "./managed-view.ts";
import { renderScript, type Script } from "./render.ts";
import { runScript } from "./run-script.ts";
import type { ScratchServer } from "./scratch-server.ts";
import type { Sides } from "./sides.ts";
import { statementsFor } from "./statements.ts";

/** One migration file: a way up and its way back. */
export interface Step {
  readonly up: Script;
  readonly down: Script;
}

/** What lies on the way: the start, and the schema behind each step. */
interface Stage {
  readonly segment: Segment;
  readonly from: FactBase;
  readonly to: FactBase;
}

function upScript({ segment, from, to }: Stage, changes: Changes, sides: Sides): Script {
  const way = { direction: "up", from, to } as const;
  const renames = from === sides.renamed ? sides.renames.up : [];
  const { actions, transactional } = segment;
  const { forwardReferences } = changes;
  const statements = statementsFor(actions, way, { forwardReferences, transactional });
  return renderScript([...renames, ...statements], transactional, sides.keywords);
}

function downScript({ from, to }: Pick<Stage, "from" | "to">, sides: Sides): Script {
  const { actions, forwardReferences } = changesBetween(to, withValidIndexes(from), sides.roles);
  const transactional = segmentsOf(actions).every((segment, index) => segment.transactional && index === 0);
  const way = { direction: "down", from: to, to: from } as const;
  const renames = from === sides.renamed ? sides.renames.down : [];
  const statements = statementsFor(actions, way, { forwardReferences, transactional });
  return renderScript([...statements, ...renames], transactional, sides.keywords);
}

async function schemaAfter(
  server: ScratchServer,
  sides: Sides,
  up: Script,
  ignore: readonly string[],
): Promise<FactBase> {
  await sides.dumps;
  await runScript(server, sides.startDatabase, up);
  const { facts } = await readCatalog(sides.startDatabase.client);
  return managedView(facts, ignore);
}

/**
 * Makes the migrations that lead from the start to the models: one, or several where PostgreSQL needs a commit
 * in between. The start's scratch database goes along, except for the last step.
 */
export async function stepsBetween(
  server: ScratchServer,
  sides: Sides,
  changes: Changes,
  ignore: readonly string[],
): Promise<Step[]> {
  const planned = segmentsOf(changes.actions);
  const segments = planned.length === 0 ? [{ actions: [], transactional: true }] : planned;
  const steps: Step[] = [];
  let from = sides.renamed;
  for (const segment of segments) {
    const up = upScript({ segment, from, to: sides.models }, changes, sides);
    const to = segment === segments.at(-1) ? sides.models : await schemaAfter(server, sides, up, ignore);
    steps.push({ up, down: downScript({ from, to }, sides) });
    from = to;
  }
  return steps;
}

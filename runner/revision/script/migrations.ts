import type { FactBase } from "@supabase/pg-delta/core";
import type { ScratchServer } from "../../scratch/server.ts";
import { managedView, withValidIndexes } from "../catalog/managed-view.ts";
import { readCatalog } from "../catalog/read.ts";
import type { Sides } from "../comparison.ts";
import { type Changes, changesBetween } from "../plan/plan.ts";
import type { SchemaPair } from "../plan/schema-pair.ts";
import type { InPlace } from "../renames/statements.ts";
import { typesMovedAside } from "../renames/types.ts";
import { withConversions } from "./conversions.ts";
import { renderScript, type Script } from "./render.ts";
import { runScript, type ScratchDatabase } from "./scratch-copy.ts";
import { type Segment, segmentsOf } from "./segments.ts";
import { statementsFor } from "./statements.ts";

/** One migration file: an up migration and its down migration. */
export interface Step {
  readonly up: Script;
  readonly down: Script;
}

/** All that the steps are made from. */
interface Walk {
  readonly server: ScratchServer;
  readonly sides: Sides;
  readonly ignore: readonly string[];
}

/** What lies on the way: the start, and the schema behind each step. */
interface Stage {
  readonly segment: Segment;
  readonly from: FactBase;
  readonly to: FactBase;
}

async function upScript({ segment, from, to }: Stage, changes: Changes, sides: Sides): Promise<Script> {
  const pair: SchemaPair = { direction: "up", from, to, roles: sides.roles };
  const renames = from === sides.renamed ? sides.renames.up : [];
  const { transactional } = segment;
  const { forwardReferences } = changes;
  const actions = await withConversions(sides.modelsDatabase.client, segment.actions, from, to);
  const statements = statementsFor(actions, pair, { forwardReferences, transactional });
  return renderScript([...renames, ...statements], transactional, sides.keywords);
}

/** The types that the down migration must move aside, and the schema after that. */
async function movedAside(
  { from, to }: Pick<Stage, "from" | "to">,
  walk: Walk,
): Promise<[InPlace, FactBase]> {
  const aside = typesMovedAside(to, withValidIndexes(from));
  if (aside.up.length === 0) return [aside, to];
  const database = to === walk.sides.models ? walk.sides.modelsDatabase : walk.sides.startDatabase;
  await walk.sides.dumps;
  const facts = await schemaAfter(walk, database, renderScript(aside.up, true, walk.sides.keywords));
  await runScript(walk.server, database, renderScript(aside.down, true, walk.sides.keywords));
  return [aside, facts];
}

async function downScript(stage: Pick<Stage, "from" | "to">, walk: Walk): Promise<Script> {
  const { sides } = walk;
  const [aside, from] = await movedAside(stage, walk);
  const to = withValidIndexes(stage.from);
  const { roles, owners } = sides;
  const pair: SchemaPair = { direction: "down", from, to, roles, owners };
  const { actions: planned, forwardReferences } = changesBetween(pair);
  const actions = await withConversions(sides.modelsDatabase.client, planned, from, stage.from);
  const transactional = segmentsOf(actions).every((segment, index) => segment.transactional && index === 0);
  const renames = stage.from === sides.renamed ? sides.renames.down : [];
  const statements = statementsFor(
    actions,
    { ...pair, to: stage.from },
    { forwardReferences, transactional },
  );
  return renderScript([...aside.up, ...statements, ...renames], transactional, sides.keywords);
}

async function schemaAfter(
  { server, ignore }: Walk,
  database: ScratchDatabase,
  script: Script,
): Promise<FactBase> {
  await runScript(server, database, script);
  const { facts } = await readCatalog(database.client);
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
  const walk = { server, sides, ignore };
  for (const segment of segments) {
    const up = await upScript({ segment, from, to: sides.models }, changes, sides);
    const last = segment === segments.at(-1);
    if (!last) await sides.dumps;
    const to = last ? sides.models : await schemaAfter(walk, sides.startDatabase, up);
    steps.push({ up, down: await downScript({ from, to }, walk) });
    from = to;
  }
  return steps;
}

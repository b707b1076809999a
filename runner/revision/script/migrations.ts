import type { FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import type { ScratchServer } from "../../scratch/server.ts";
import { managedView, withValidIndexes } from "../catalog/managed-view.ts";
import { readCatalog } from "../catalog/read.ts";
import type { Sides } from "../comparison.ts";
import { type IndexTrees, readIndexTrees } from "../online/index-trees.ts";
import { onlineSteps } from "../online/online.ts";
import { onlineSegments } from "../online/segments.ts";
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
export interface Walk {
  readonly server: ScratchServer;
  readonly sides: Sides;
  readonly ignore: readonly string[];
  /** True where no statement may keep readers or writers waiting for long, if there is another way. */
  readonly online: boolean;
}

/** What lies on the way: the start, and the schema behind each step. */
interface Stage {
  readonly segment: Segment;
  readonly from: FactBase;
  readonly to: FactBase;
  /** The indexes of `from`, for the down migration; empty where nobody asks for them. */
  readonly indexes: IndexTrees;
}

async function upScript(
  { segment, from, to }: Omit<Stage, "indexes">,
  changes: Changes,
  sides: Sides,
): Promise<Script> {
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

/** The way back in one file: online where nobody misses an object meanwhile. */
function downSegment(
  planned: readonly Action[],
  pair: SchemaPair,
  stage: Omit<Stage, "segment">,
  walk: Walk,
): Segment {
  const { keywords } = walk.sides;
  const steps = walk.online ? onlineSteps(planned, { pair, indexes: stage.indexes, keywords }) : [];
  const [online, ...further] = onlineSegments(steps) ?? [];
  if (online !== undefined && further.length === 0) return online;
  const segments = segmentsOf(planned);
  return {
    actions: planned,
    transactional: segments.every(({ transactional }, index) => transactional && index === 0),
  };
}

async function downScript(stage: Omit<Stage, "segment">, walk: Walk): Promise<Script> {
  const { sides } = walk;
  const [aside, from] = await movedAside(stage, walk);
  const to = withValidIndexes(stage.from);
  const { roles, owners } = sides;
  const pair: SchemaPair = { direction: "down", from, to, roles, owners };
  const { actions: planned, forwardReferences } = changesBetween(pair);
  const converted = await withConversions(sides.modelsDatabase.client, planned, from, stage.from);
  const { actions, transactional } = downSegment(converted, { ...pair, to: stage.from }, stage, walk);
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

/** What the up migration is cut into: where PostgreSQL needs a commit, and where a lock would be held for long. */
async function segmentsOfUp({ sides, online }: Walk, { actions }: Changes): Promise<Segment[]> {
  const { renamed: from, models: to, roles, keywords } = sides;
  const pair: SchemaPair = { direction: "up", from, to, roles };
  const steps = online
    ? onlineSteps(actions, { pair, indexes: await readIndexTrees(sides.modelsDatabase.client), keywords })
    : [];
  return onlineSegments(steps) ?? segmentsOf(actions);
}

/**
 * Makes the migrations that lead from the start to the models: one, or several where PostgreSQL needs a commit
 * in between. The start's scratch database goes along, except for the last step.
 */
export async function stepsBetween(walk: Walk, changes: Changes): Promise<Step[]> {
  const { sides } = walk;
  const planned = await segmentsOfUp(walk, changes);
  const segments = planned.length === 0 ? [{ actions: [], transactional: true }] : planned;
  const steps: Step[] = [];
  let from = sides.renamed;
  for (const segment of segments) {
    const indexes = walk.online ? await readIndexTrees(sides.startDatabase.client) : new Map();
    const up = await upScript({ segment, from, to: sides.models }, changes, sides);
    const last = segment === segments.at(-1);
    if (!last) await sides.dumps;
    const to = last ? sides.models : await schemaAfter(walk, sides.startDatabase, up);
    steps.push({ up, down: await downScript({ from, to, indexes }, walk) });
    from = to;
  }
  return steps;
}

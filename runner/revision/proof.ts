import { encodeId, type FactBase } from "@supabase/pg-delta/core";
import { type DumpedSchema, dumpDifferences, dumpWritten } from "../scratch/schema-dump.ts";
import { type ColumnOrder, createdInOtherOrder, readColumnOrder } from "./catalog/column-order.ts";
import { managedFacts, managedView, pathOf, withValidIndexes } from "./catalog/managed-view.ts";
import { readFacts } from "./catalog/read.ts";
import type { Ground, Sides } from "./comparison.ts";
import { changesBetween, describeDelta } from "./plan/plan.ts";
import type { Step } from "./script/migrations.ts";
import { runScript, type ScratchDatabase } from "./script/scratch-copy.ts";

/** What a schema should be: as facts, and as pg_dump shows it. */
interface Expected {
  readonly facts: FactBase;
  /** The schema from which the migration leads here: tables that it lacks are created, with this order of columns. */
  readonly other: FactBase;
  readonly columnOrder: ColumnOrder;
  /** Who owns what, by encoded ids; objects that are not there count for nothing. */
  readonly owners: ReadonlyMap<string, string>;
  readonly dump: DumpedSchema;
}

/** True where a schema holds the same objects; much cheaper than to plan the way from one to the other. */
function sameObjects(found: FactBase, ignore: readonly string[], expected: FactBase): boolean {
  const facts = managedFacts(found, ignore);
  return (
    facts.length === expected.facts().length &&
    facts.every(({ id }) => expected.has(id) && expected.hashOf(id) === found.hashOf(id))
  );
}

/** A line for each object that belongs to another role than it should. */
function otherOwners(found: FactBase, owners: ReadonlyMap<string, string>): string[] {
  return found.edges.flatMap(({ kind, from, to }) => {
    const owner = kind === "owner" && to.kind === "role" ? owners.get(encodeId(from)) : undefined;
    if (owner === undefined || to.kind !== "role" || to.name === owner) return [];
    return [`owner of ${from.kind} ${pathOf(from)} differs: found ${to.name}, expected ${owner}`];
  });
}

/** Compares a scratch database with what it should be, by catalog and by pg_dump. */
async function differences(
  ground: Ground,
  { client, settings }: ScratchDatabase,
  expected: Expected,
  roles: readonly string[],
): Promise<string[]> {
  const { programs, ignore } = ground;
  const [facts, dump] = await Promise.all([readFacts(client, programs.major), dumpWritten(ground, settings)]);
  const deltas = sameObjects(facts, ignore, expected.facts)
    ? []
    : changesBetween({
        direction: "up",
        from: managedView(facts, ignore),
        to: expected.facts,
        roles,
      }).deltas;
  const dumped = dumpDifferences(dump, expected.dump);
  const order = await readColumnOrder(client);
  const misordered = createdInOtherOrder(order, expected.columnOrder, expected.facts, expected.other);
  return [...deltas.map(describeDelta), ...dumped, ...misordered, ...otherOwners(facts, expected.owners)];
}

async function attempt(what: string, run: () => Promise<string[]>): Promise<string[]> {
  try {
    return (await run()).map((line) => `${what}: ${line}`);
  } catch (error) {
    return [`${what}: it does not run: ${(error as Error).message}`];
  }
}

/**
 * Proves what was written on the start's scratch copy, on which all but the last step ran already: up gives the
 * models, down gives the start, and up works again.
 * @returns a line for each thing that is not as it should be
 */
export async function prove(ground: Ground, sides: Sides, steps: readonly Step[]): Promise<string[]> {
  const { startDatabase: database, roles } = sides;
  const dumps = await sides.dumps;
  const owners = ground.server.private ? sides.owners : new Map<string, string>(); // another server may lack the roles
  const run = async (scripts: readonly Step["up"][]) => {
    for (const script of scripts) await runScript(ground.server, database, script);
  };
  const ups = steps.map(({ up }) => up);
  const up = await attempt("up", async () => {
    await run(ups.slice(-1));
    const expected = {
      facts: sides.models,
      other: sides.renamed,
      columnOrder: sides.columnOrder.models,
      owners,
      dump: dumps.models,
    };
    return differences(ground, database, expected, roles);
  });
  if (up.some((line) => line.includes("it does not run"))) return up;
  const down = await attempt("down", async () => {
    await run(steps.map((step) => step.down).reverse());
    const expected = {
      facts: withValidIndexes(sides.start),
      other: sides.models,
      columnOrder: sides.columnOrder.start,
      owners,
      dump: dumps.start,
    };
    return differences(ground, database, expected, roles);
  });
  if (down.some((line) => line.includes("it does not run"))) return [...up, ...down];
  const again = await attempt("up again", async () => {
    await run(ups);
    return [];
  });
  return [...up, ...down, ...again];
}

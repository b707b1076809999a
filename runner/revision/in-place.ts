import type { FactBase } from "@supabase/pg-delta/core";
import { readCatalog } from "./catalog.ts";
import { changesBetween } from "./changes.ts";
import { managedView, withGrantsOf, withValidIndexes } from "./managed-view.ts";
import { type Moves, movesBetween } from "./parents.ts";
import { type InPlace, readRenames, renamesOfTypes } from "./renames.ts";
import { renderScript, type Statement } from "./render.ts";
import { runScript } from "./run-script.ts";
import type { Ground, Sides } from "./sides.ts";

const nothing: InPlace = { up: [], down: [] };

function statementsOf(statements: readonly string[]): Statement[] {
  return statements.map((sql) => {
    const child = sql.match(/ ATTACH PARTITION (.*) FOR VALUES /)?.[1];
    const lock = `LONG LOCK: every row of ${child} is checked while nobody can write to it`;
    return { sql, comments: child === undefined ? [] : [lock] };
  });
}

/** Does it all to the start's scratch copy and takes it back, and says what else there was to take back. */
async function tried(ground: Ground, sides: Sides, inPlace: InPlace): Promise<Sides> {
  const { server, ignore } = ground;
  const run = (statements: readonly Statement[]) =>
    runScript(server, sides.startDatabase, renderScript(statements, true, sides.keywords));
  const read = async (): Promise<FactBase> => {
    const { facts } = await readCatalog(sides.startDatabase.client);
    return managedView(facts, ignore);
  };
  await sides.dumps;
  await run(inPlace.up);
  const renamed = await read();
  await run(inPlace.down);
  const left = changesBetween(await read(), withValidIndexes(sides.start), sides.roles).actions;
  const rest = left.map(({ sql }) => ({ sql, comments: [] }));
  if (rest.length > 0) await run(rest);
  const renames = { up: inPlace.up, down: [...inPlace.down, ...rest] };
  return { ...sides, renames, renamed, models: withGrantsOf(sides.models, renamed) };
}

function withMoves({ up, down }: InPlace, moves: Moves): InPlace {
  return { up: [...up, ...statementsOf(moves.up)], down: [...statementsOf(moves.down), ...down] };
}

/**
 * Reads the start as it is after what is done in place, so that rows stay where they are: renames, and tables that move
 * below others. All that is left to plan are the other differences.
 * @param wanted renames that were asked for
 */
export async function afterChangesInPlace(
  ground: Ground,
  sides: Sides,
  wanted: readonly string[],
): Promise<Sides> {
  const pairs = [...wanted, ...renamesOfTypes(sides.start, sides.models)];
  const renames = pairs.length === 0 ? nothing : readRenames(sides.start, pairs);
  const moves = await movesBetween(sides.startDatabase, sides.modelsDatabase);
  if (moves.up.length > 0)
    try {
      return await tried(ground, sides, withMoves(renames, moves));
    } catch {} // a table that does not fit its new parent as it is
  return pairs.length === 0 ? sides : tried(ground, sides, renames);
}

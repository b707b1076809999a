import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { managedView, withGrantsOf, withValidIndexes } from "../catalog/managed-view.ts";
import { type Catalog, readCatalog } from "../catalog/read.ts";
import { withoutRevoked } from "../catalog/revoked.ts";
import type { Ground, Sides } from "../comparison.ts";
import { changesBetween } from "../plan/plan.ts";
import { heldByKeys, standingOn, stuckInPlace } from "../plan/schemas/rebuilt-objects.ts";
import { renderScript, type Statement } from "../script/render.ts";
import { runScript } from "../script/scratch-copy.ts";
import { commentsOn } from "../script/warnings.ts";
import { type Moves, movesBetween, withNewParents } from "./parents.ts";
import { readRenames, renamesOfTypes } from "./requested.ts";
import type { InPlace } from "./statements.ts";
import { typesMovedAside } from "./types.ts";

const nothing: InPlace = { up: [], down: [] };

function statementsOf(statements: readonly string[]): Statement[] {
  return statements.map((sql) => {
    const child = sql.match(/ ATTACH PARTITION (.*) FOR VALUES /)?.[1];
    const lock = `LONG LOCK: every row of ${child} is checked while nobody can write to it`;
    return { sql, comments: child === undefined ? [] : [lock] };
  });
}

/** The start's scratch copy, on which what is done in place is tried. */
interface Trial {
  readonly run: (statements: readonly Statement[]) => Promise<void>;
  readonly read: () => Promise<Pick<Catalog, "facts" | "owners">>;
}

function trialOn({ server, ignore }: Ground, { startDatabase, keywords }: Sides): Trial {
  return {
    run: (statements) => runScript(server, startDatabase, renderScript(statements, true, keywords)),
    read: async () => {
      const { facts, owners } = await readCatalog(startDatabase.client);
      return { facts: managedView(facts, ignore), owners };
    },
  };
}

/** The moves of tables, with what makes new tables above them, and takes those away again. */
function placed(moves: Moves, renamed: FactBase, { models, roles }: Sides): InPlace {
  const [up, down] = [statementsOf(moves.up), statementsOf(moves.down)];
  if (moves.newParents.length === 0) return { up, down };
  const above = withNewParents(renamed, models, moves.newParents);
  const make = changesBetween({ direction: "up", from: renamed, to: above, roles }).actions;
  const drop = changesBetween({ direction: "down", from: above, to: renamed, roles }).actions;
  const said = (facts: FactBase) => (action: Action) => ({
    sql: action.sql,
    comments: commentsOn(action, { existing: new Set(), facts }),
  });
  return { up: [...make.map(said(above)), ...up], down: [...down, ...drop.map(said(renamed))] };
}

/** Moves tables on the start's copy; none where one does not fit its new parent as it is. */
async function triedMoves(sides: Sides, renamed: FactBase, { run }: Trial): Promise<InPlace> {
  const stuck = [...stuckInPlace(renamed, sides.models), ...heldByKeys(renamed, sides.models)];
  const rebuilt = standingOn(stuck, renamed);
  const isRebuilt = (table: StableId) => rebuilt.has(encodeId(table));
  const moves = await movesBetween(sides.startDatabase, sides.modelsDatabase, isRebuilt);
  if (moves.up.length === 0) return nothing;
  await sides.dumps;
  try {
    const inPlace = placed(moves, renamed, sides);
    await run(inPlace.up);
    return inPlace;
  } catch {
    return nothing;
  }
}

/** The sides after what was done in place, which is reverted on the start's copy, with what else there is to revert. */
async function settled(sides: Sides, inPlace: InPlace, { run, read }: Trial): Promise<Sides> {
  const { facts: renamed, owners } = await read();
  await run(inPlace.down);
  const to = withValidIndexes(sides.start);
  const left = changesBetween({
    direction: "down",
    from: (await read()).facts,
    to,
    roles: sides.roles,
  }).actions;
  const rest = left.map(({ sql }) => ({ sql, comments: [] }));
  if (rest.length > 0) await run(rest);
  const renames = { up: inPlace.up, down: [...inPlace.down, ...rest] };
  const known = new Map([...sides.owners, ...owners]); // by the names before and after
  return {
    ...sides,
    renames,
    renamed,
    owners: known,
    models: withGrantsOf(sides.models, renamed, (grant) => withoutRevoked(grant, sides.revoked)),
  };
}

/** All names that change in place: those that were asked for, of types, and of types that must give way. */
function namesBetween({ start, models }: Sides, wanted: readonly string[]): InPlace {
  const pairs = [...wanted, ...renamesOfTypes(start, models)];
  const aside = typesMovedAside(start, models);
  const named = pairs.length === 0 ? nothing : readRenames(start, models, pairs);
  return { up: [...named.up, ...aside.up], down: [...aside.down, ...named.down] };
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
  const trial = trialOn(ground, sides);
  const names = namesBetween(sides, wanted);
  const rename = async () => {
    if (names.up.length === 0) return sides.start;
    await sides.dumps;
    await trial.run(names.up);
    return (await trial.read()).facts;
  };
  const moves = await triedMoves(sides, await rename(), trial);
  if (moves.up.length > 0)
    try {
      const inPlace = { up: [...names.up, ...moves.up], down: [...moves.down, ...names.down] };
      return await settled(sides, inPlace, trial);
    } catch {
      await rename(); // inherited columns and constraints do not become what they were
    }
  return names.up.length === 0 ? sides : settled(sides, names, trial);
}

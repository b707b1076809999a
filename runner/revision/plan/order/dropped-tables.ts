import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";

const isTableDrop = ({ sql }: Action) => sql.startsWith("DROP TABLE ");

/** The table that an object is, or is a part of. */
function tableOf(id: StableId): string | undefined {
  const { schema, table } = id as { schema?: string; table?: string };
  if (id.kind === "table") return encodeId(id);
  return schema === undefined || table === undefined
    ? undefined
    : encodeId({ kind: "table", schema, name: table });
}

/** True where a part of one of the tables has a copy of the key, which is in the way when that part goes first. */
function reachesParts(ids: readonly StableId[], facts: FactBase): boolean {
  const tables = new Set(ids.map(tableOf));
  return facts.facts().some(({ id, payload }) => payload.partitionKey != null && tables.has(tableOf(id)));
}

/** The tables that stand on what a statement drops. */
function usersOf({ destroys }: Action, facts: FactBase): string[] {
  return destroys.flatMap((id) => facts.incomingEdges(id).flatMap(({ from }) => tableOf(from) ?? []));
}

/** Statements that drop tables one after the other: a table that others refer to goes after them, where it can. */
function inOrder(drops: readonly Action[], facts: FactBase): Action[] {
  const dropping = new Map(drops.flatMap((drop) => drop.destroys.map((id) => [tableOf(id), drop] as const)));
  const ordered = new Set<Action>();
  const waiting = new Set<Action>();
  const emit = (drop: Action) => {
    if (waiting.has(drop)) return;
    waiting.add(drop);
    for (const user of usersOf(drop, facts)) {
      const first = dropping.get(user);
      if (first !== undefined) emit(first);
    }
    ordered.add(drop);
  };
  for (const drop of drops) emit(drop);
  return [...ordered];
}

/** All actions, with each run of dropped tables in order. */
function withDropsInOrder(actions: readonly Action[], facts: FactBase): Action[] {
  const runs: Action[][] = [];
  for (const action of actions) {
    const run = runs.at(-1);
    if (run?.[0] !== undefined && isTableDrop(action) && isTableDrop(run[0])) run.push(action);
    else runs.push([action]);
  }
  return runs.flatMap((run) => (run.length > 1 ? inOrder(run, facts) : run));
}

/**
 * A foreign key goes with its table, where that goes before what the key refers to: pg-delta drops each key by a
 * statement of its own. Pure.
 */
export function withKeysDroppedAlong(actions: readonly Action[], from: FactBase): Action[] {
  const ordered = withDropsInOrder(actions, from);
  const end = new Map(
    ordered.flatMap((action, place) =>
      isTableDrop(action) ? action.destroys.map((id) => [tableOf(id), place] as const) : [],
    ),
  );
  const touched = Map.groupBy(
    ordered.flatMap(({ destroys, consumes, verb }, place) =>
      [...destroys, ...(verb === "alter" ? consumes : [])].map((id) => ({ place, key: encodeId(id) })),
    ),
    ({ key }) => key,
  );
  const goesAlong = ({ sql, destroys: [id] }: Action, place: number): boolean => {
    if (id?.kind !== "constraint" || from.get(id)?.payload.type !== "f" || !/ DROP CONSTRAINT /.test(sql))
      return false;
    const own = end.get(tableOf(id));
    if (own === undefined) return false;
    const needed = from.outgoingEdges(id).map(({ to }) => to);
    const untouched = (to: StableId) =>
      (touched.get(encodeId(to)) ?? []).every((touch) => touch.place < place || touch.place >= own);
    return !reachesParts(needed, from) && needed.every(untouched);
  };
  return ordered.filter((action, place) => !goesAlong(action, place));
}

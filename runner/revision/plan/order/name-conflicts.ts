import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { qualified } from "../../../postgres/sql.ts";
import { plain } from "../../script/sql-text.ts";

/** Kinds that share one namespace in a schema: pg_class has one row for each. */
const relationKinds = new Set(["table", "view", "materializedView", "foreignTable", "sequence", "index"]);

/** The name that an object takes among the relations of its schema; a key or exclusion constraint has an index. */
function relationName(id: StableId, facts: FactBase): string | undefined {
  if (!("schema" in id) || !("name" in id)) return undefined;
  const backed = id.kind === "constraint" && /^[pux]$/.test(String(facts.get(id)?.payload.type));
  return backed || relationKinds.has(id.kind) ? JSON.stringify([id.schema, id.name]) : undefined;
}

/** The objects that take a name among the relations of their schema, each with that name. */
export function namedRelations(ids: readonly StableId[], facts: FactBase): [name: string, id: StableId][] {
  return ids.flatMap((id): [string, StableId][] => {
    const name = relationName(id, facts);
    return name === undefined ? [] : [[name, id]];
  });
}

const names = (ids: readonly StableId[], facts: FactBase) => namedRelations(ids, facts).map(([name]) => name);

/**
 * Moves a rename before the statement that takes the old name: pg-delta orders by dependencies, and a key
 * under the name that another table's key is about to leave depends on nothing. Pure.
 */
export function freeNamesFirst(actions: readonly Action[], from: FactBase, to: FactBase): Action[] {
  const leaving = new Map<string, Action>();
  for (const action of actions.filter(({ sql }) => sql.includes(" RENAME ")))
    for (const name of names(action.destroys, from)) leaving.set(name, action);
  if (leaving.size === 0) return [...actions];
  const ordered = new Set<Action>();
  const waiting = new Set<Action>();
  const emit = (action: Action) => {
    if (waiting.has(action)) return;
    waiting.add(action);
    for (const name of names(action.produces, to)) emit(leaving.get(name) ?? action);
    ordered.add(action);
  };
  for (const action of actions) emit(action);
  return [...ordered];
}

/**
 * Renames come before all other statements, save those that take a name which another statement frees: these follow it. Pure.
 */
export function renamesInFront(
  renames: readonly Action[],
  actions: readonly Action[],
  from: FactBase,
  to: FactBase,
): Action[] {
  const freedBy = new Map<string, Action>();
  for (const action of [...renames, ...actions])
    for (const name of names(action.destroys, from)) freedBy.set(name, action);
  const after = Map.groupBy(renames, ({ produces }) => freedBy.get(names(produces, to)[0] ?? ""));
  const placed = (action: Action): Action[] => [action, ...(after.get(action) ?? []).flatMap(placed)];
  return [...(after.get(undefined) ?? []), ...actions].flatMap(placed);
}

/** The sequences that a statement's default draws from. */
function sequencesOf({ sql, produces, consumes }: Action, to: FactBase): string[] {
  const id = [...produces, ...consumes].find(({ kind }) => kind === "default" || kind === "column");
  if (id === undefined || !sql.includes(" SET DEFAULT nextval(")) return [];
  const edges = to.outgoingEdges({ ...id, kind: "default" } as StableId);
  return edges.flatMap((edge) => (edge.to.kind === "sequence" ? [encodeId(edge.to)] : []));
}

/** A default may name a sequence by the name that the same plan gives it: it is set after that. Pure. */
export function defaultsAfterRenames(actions: readonly Action[], to: FactBase): Action[] {
  const renames = new Map<string, Action>();
  for (const action of actions.filter(({ sql }) => /^ALTER SEQUENCE .* RENAME TO /s.test(sql)))
    for (const id of action.produces) renames.set(encodeId(id), action);
  if (renames.size === 0) return [...actions];
  const seen = new Set<Action>();
  const waiting = new Map<Action, Action[]>();
  return actions
    .filter((action) => {
      seen.add(action);
      const rename = sequencesOf(action, to).flatMap((key) => renames.get(key) ?? [])[0];
      if (rename === undefined || seen.has(rename)) return true;
      waiting.set(rename, [...(waiting.get(rename) ?? []), action]);
      return false;
    })
    .flatMap((action) => [action, ...(waiting.get(action) ?? [])]);
}

type Named = Extract<StableId, { schema: string; name: string }>;

/** How a table's index or key gets another name. */
function rename(id: Named, name: string): string {
  if (id.kind !== "constraint")
    return `ALTER INDEX ${qualified(id.schema, id.name)} RENAME TO ${qualified(name)}`;
  const { schema, table } = id as Named & { readonly table: string };
  return `ALTER TABLE ${qualified(schema, table)} RENAME CONSTRAINT ${qualified(id.name)} TO ${qualified(name)}`;
}

/** A statement that only makes room, and of which no other order depends. */
function makingRoom(id: Named, name: string): Action {
  return { ...plain, sql: rename(id, name), verb: "alter", consumes: [id] };
}

/**
 * An index or key that goes with its table, after another has taken its name, is renamed before that: such a table cannot
 * go first where something of it stays, such as its sequence. Pure.
 */
export function withNamesAside(actions: readonly Action[], from: FactBase, to: FactBase): Action[] {
  const leaving = new Map<string, Named>();
  for (const { verb, destroys, sql } of actions)
    if (verb === "drop" && sql.startsWith("DROP TABLE "))
      for (const [name, id] of namedRelations(destroys, from))
        if (id.kind === "index" || id.kind === "constraint") leaving.set(name, id as Named);
  if (leaving.size === 0) return [...actions];
  const free = freeNames(from, to);
  return actions.flatMap((action) => {
    const gone = namedRelations(action.destroys, from).map(([name]) => name);
    for (const name of gone) leaving.delete(name);
    const clashes = namedRelations(action.produces, to).flatMap(([name]) => leaving.get(name) ?? []);
    return [...clashes.map((id) => makingRoom(id, free(id.schema, id.name))), action];
  });
}

/**
 * Gives names for objects that must leave theirs to others: `NAME_old`, or what nothing in the schema has on either side,
 * and no other object got before.
 */
export function freeNames(...sides: readonly FactBase[]): (schema: string, name: string) => string {
  const ids = sides.flatMap((facts) => facts.facts().map(({ id }) => id));
  const taken = new Set(
    ids.flatMap((id) => ("schema" in id && "name" in id ? [JSON.stringify([id.schema, id.name])] : [])),
  );
  return (schema, name) => {
    const stem = Buffer.from(name)
      .subarray(0, 50)
      .toString()
      .replace(/\uFFFD+$/, "");
    for (let count = 1; ; count++) {
      const free = `${stem}_old${count === 1 ? "" : count}`;
      const key = JSON.stringify([schema, free]);
      if (taken.has(key)) continue;
      taken.add(key);
      return free;
    }
  };
}

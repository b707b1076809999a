import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { qualified } from "../../../postgres/sql.ts";
import { type ColumnId, isColumn } from "../../catalog/managed-view.ts";
import { isVirtual } from "../../catalog/normalize.ts";
import { plain } from "../../script/sql-text.ts";

const retypes = / ALTER COLUMN .* TYPE /s;
const setsDefault = / ALTER COLUMN .* SET DEFAULT /s;
const dropsDefault = / ALTER COLUMN .* DROP DEFAULT$/s;

/** The column that a statement alters, or whose default it makes, changes or drops. */
function columnOf({ verb, produces, consumes, destroys }: Action): ColumnId | undefined {
  const own = (ids: readonly StableId[]) => ids.find((id) => id.kind === "default" || id.kind === "column");
  const id = own(produces) ?? own(destroys) ?? (verb === "alter" ? own(consumes) : undefined);
  return id === undefined ? undefined : ({ ...id, kind: "column" } as ColumnId);
}

/** Where each column's type changes, by the column's encoded id; or where other statements of this form stand. */
function retypings(actions: readonly Action[], form = retypes): Map<string, number> {
  const places = actions.flatMap((action, index): [string, number][] => {
    const id = form.test(action.sql) ? columnOf(action) : undefined;
    return id === undefined ? [] : [[encodeId(id), index]];
  });
  return new Map(places);
}

/**
 * A default cannot be cast through a change of its column's type. pg-delta takes it away and brings it back, but
 * perhaps before the new type is there, or twice: here it goes once before, if there is one, and comes back once after.
 */
function defaultsAround(actions: readonly Action[], from: FactBase): Action[] {
  const places = retypings(actions);
  if (places.size === 0) return [...actions];
  const gone = new Set<string>();
  const last = new Map<string, number>();
  const keyOf = (action: Action) => {
    const id = columnOf(action);
    return id !== undefined && places.has(encodeId(id)) ? encodeId(id) : undefined;
  };
  actions.forEach((action, index) => {
    const key = setsDefault.test(action.sql) ? keyOf(action) : undefined;
    if (key !== undefined) last.set(key, index);
  });
  return actions.flatMap((action, index): Action[] => {
    const key = keyOf(action);
    if (key === undefined) return [action];
    const place = places.get(key) ?? index;
    const id = columnOf(action) as ColumnId;
    if (dropsDefault.test(action.sql)) {
      const first = index < place && !gone.has(key) && from.has({ ...id, kind: "default" });
      gone.add(key);
      return first ? [action] : [];
    }
    if (!setsDefault.test(action.sql)) {
      const back =
        index === place && (last.get(key) ?? index) < place ? actions[last.get(key) ?? index] : undefined;
      return back === undefined ? [action] : [action, back];
    }
    return index > place && index === last.get(key) ? [action] : [];
  });
}

const beforeIdentities = / ALTER COLUMN .* (?:TYPE |SET NOT NULL$)/s;

/** An identity has the bounds of its column's new type, and its column is NOT NULL: it begins after both changes. */
function identitiesAfter(actions: readonly Action[]): Action[] {
  const places = retypings(actions, beforeIdentities);
  const waiting = new Map<number, Action[]>();
  const moved = new Set<Action>();
  actions.forEach((action, index) => {
    const id = / ADD GENERATED /.test(action.sql) ? columnOf(action) : undefined;
    const place = id === undefined ? -1 : (places.get(encodeId(id)) ?? -1);
    if (index > place) return;
    waiting.set(place, [...(waiting.get(place) ?? []), action]);
    moved.add(action);
  });
  return actions.flatMap((action, index) =>
    moved.has(action) ? [] : [action, ...(waiting.get(index) ?? [])],
  );
}

/** pg-delta takes a generated column whose expression names an enum's value for one of that enum. */
function withoutMistaken(actions: readonly Action[], to: FactBase): Action[] {
  return actions.filter((action) => {
    const id = / ALTER COLUMN .* TYPE .* USING /s.test(action.sql) ? columnOf(action) : undefined;
    return id === undefined || to.get(id)?.payload.generatedExpr == null;
  });
}

/**
 * A plan in which what belongs to a column's type is said once, where it works. Pure.
 */
export function withTypesChangedOnce(actions: readonly Action[], from: FactBase, to: FactBase): Action[] {
  return defaultsAround(identitiesAfter(withoutMistaken(actions, to)), from);
}

/** A column whose values are stored, and computed from others. */
type Generated = Fact & { readonly id: ColumnId };

function becomesPlain(fact: Fact, to: FactBase): fact is Generated {
  const expression = fact.payload.generatedExpr;
  if (!isColumn(fact.id) || typeof expression !== "string" || isVirtual(expression)) return false;
  return to.get(fact.id)?.payload.generatedExpr === null;
}

function dropExpression({ id }: Generated): Action {
  const sql = `ALTER TABLE ${qualified(id.schema, id.table)} ALTER COLUMN ${qualified(id.name)} DROP EXPRESSION`;
  return { ...plain, sql, verb: "alter", consumes: [id] };
}

/**
 * A stored generated column that becomes a plain one keeps its values: pg-delta would drop it and add it again. Pure.
 * @returns the schema after that, and the statements that lead there
 */
export function withExpressionsDropped(
  from: FactBase,
  to: FactBase,
): { facts: FactBase; actions: readonly Action[] } {
  const plain = from.facts().filter((fact): fact is Generated => becomesPlain(fact, to));
  if (plain.length === 0) return { facts: from, actions: [] };
  const names = new Set(plain.map(({ id }) => encodeId(id)));
  const facts = from
    .facts()
    .map((fact) =>
      names.has(encodeId(fact.id)) ? { ...fact, payload: { ...fact.payload, generatedExpr: null } } : fact,
    );
  return { facts: buildFactBase(facts, [...from.edges], from.source), actions: plain.map(dropExpression) };
}

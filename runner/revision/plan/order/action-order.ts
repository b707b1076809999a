import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { isColumn, pathOf } from "../../catalog/managed-view.ts";

const switches = /^ALTER TABLE .* SET (?<kind>LOGGED|UNLOGGED)$/s;

/** The tables that each table's foreign keys refer to, both by their paths. */
function references(facts: FactBase): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { id, parent, payload } of facts.facts()) {
    if (id.kind !== "constraint" || payload.type !== "f" || parent === undefined) continue;
    const tables = facts
      .outgoingEdges(id)
      .flatMap(({ to }) => (isColumn(to) ? [`${to.schema}.${to.table}`] : []));
    found.set(pathOf(parent), new Set([...(found.get(pathOf(parent)) ?? []), ...tables]));
  }
  return found;
}

const tableOf = ({ consumes }: Action) => pathOf(consumes.find(({ kind }) => kind === "table") as StableId);

/** No table that is kept through a crash may refer to one that is not: each waits for those that must change before it. */
function inOrder(actions: readonly Action[], facts: FactBase): Action[] {
  const refers = references(facts);
  const left = [...actions];
  const mustWait = (one: Action, other: Action) => {
    const [first, second] = one.sql.match(switches)?.groups?.kind === "LOGGED" ? [one, other] : [other, one];
    return one !== other && refers.get(tableOf(first))?.has(tableOf(second)) === true;
  };
  return actions.map(() => {
    const free = left.findIndex((one) => !left.some((other) => mustWait(one, other)));
    return left.splice(Math.max(0, free), 1)[0] as Action;
  });
}

/** A plan in which tables become logged after those that they refer to, and unlogged before. Pure. */
export function withPersistenceInOrder(actions: readonly Action[], facts: FactBase): Action[] {
  const ordered = ["LOGGED", "UNLOGGED"].map((kind) => {
    const some = actions.filter(({ sql }) => sql.match(switches)?.groups?.kind === kind);
    return { kind, next: some.length < 2 ? some : inOrder(some, facts) };
  });
  return actions.map((action) => {
    const kind = action.sql.match(switches)?.groups?.kind;
    return ordered.find((one) => one.kind === kind)?.next.shift() ?? action;
  });
}

/** The attribute that a statement adds to a composite type. */
function addedAttribute({ verb, produces, sql }: Action) {
  const [id] = produces;
  return verb === "create" && id?.kind === "typeAttribute" && sql.includes(" ADD ATTRIBUTE ")
    ? id
    : undefined;
}

/** A plan that adds the attributes of a composite type in their order, all where the last of them was added. Pure. */
export function withAttributesInOrder(actions: readonly Action[], facts: FactBase): Action[] {
  const additions = actions.flatMap((action) => {
    const id = addedAttribute(action);
    const fact = id && facts.get(id);
    return fact?.parent === undefined
      ? []
      : [{ action, type: encodeId(fact.parent), position: Number(fact.payload._position) }];
  });
  const groups = [...Map.groupBy(additions, ({ type }) => type).values()].filter(({ length }) => length > 1);
  const lists = new Map(groups.map((group) => [group.at(-1)?.action, group]));
  const moved = new Set(groups.flat().map(({ action }) => action));
  return actions.flatMap((action) => {
    const group = lists.get(action);
    if (group === undefined) return moved.has(action) ? [] : [action];
    return group.toSorted((one, other) => one.position - other.position).map((entry) => entry.action);
  });
}

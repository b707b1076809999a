import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { isColumn } from "../../catalog/managed-view.ts";
import { ActionGraph, predecessorsOf } from "./action-graph.ts";
import { clauseName, readTable, renderTable, type TableDefinition } from "./table-definition.ts";

/** A column, default or constraint of a table that the plan creates. */
interface Part {
  readonly id: StableId;
  /** What CREATE TABLE says for it. */
  readonly clause: string;
  /** All objects that it creates: a column creates its default too. */
  readonly produces: readonly StableId[];
  /** The place of the statement that adds it; undefined where the table's definition has it already. */
  readonly place: number | undefined;
}

const addition =
  /^ALTER (?:FOREIGN )?TABLE (?:ONLY )?"(?:[^"]|"")*"\."(?:[^"]|"")*" (?:ADD (?:COLUMN )?|ALTER COLUMN "(?:[^"]|"")*" SET (?=DEFAULT ))(?<clause>.*)$/s;

/** True for a part that CREATE TABLE can hold: columns, defaults, and constraints that look at one row or one index. */
function fitsInto(id: StableId, to: FactBase): boolean {
  if (isColumn(id) || id.kind === "default") return true;
  const { type, def, validated } = to.get(id)?.payload ?? {};
  return /^[puc]$/.test(String(type)) && validated !== false && !/ NOT (VALID|ENFORCED)\b/.test(String(def));
}

const columnOf = (id: StableId) => ({ ...id, kind: "column" }) as StableId;

/** The parts that statements add, by the encoded id of their table. */
function additionsIn(actions: readonly Action[], to: FactBase): Map<string, Part[]> {
  const found = new Map<string, Part[]>();
  actions.forEach(({ sql, verb, produces }, place) => {
    const [id] = produces;
    const clause = verb === "create" ? sql.match(addition)?.groups?.clause : undefined;
    if (clause === undefined || id === undefined || !fitsInto(id, to)) return;
    const table = to.get(id.kind === "default" ? columnOf(id) : id)?.parent;
    const key = table === undefined ? "" : encodeId(table);
    found.set(key, [...(found.get(key) ?? []), { id, clause, produces, place }]);
  });
  return found;
}

/** The parts that a table's definition has. */
function partsOf({ produces }: Action, { clauses }: TableDefinition): Part[] {
  return clauses.flatMap((clause): Part[] => {
    const { kind, name } = clauseName(clause);
    const own = produces.filter((id) => "name" in id && id.name === name);
    const id = own.find((one) => one.kind === kind);
    if (id === undefined) return [];
    const all = kind === "column" ? own.filter((one) => one.kind !== "constraint") : [id];
    return [{ id, clause, produces: all.filter(({ kind: one }) => one !== "table"), place: undefined }];
  });
}

/** A table's parts: those that are created with it, and those that follow, both in the order of the columns. */
interface Split {
  readonly kept: readonly Part[];
  readonly apart: readonly Part[];
}

const positionOf = ({ id }: Part, to: FactBase) =>
  isColumn(id) ? Number(to.get(id)?.payload._position ?? 0) : Number.POSITIVE_INFINITY;

/**
 * Takes as many columns as can be created with their table: the columns behind the first that cannot follow it, so that
 * the order stays. Constraints go where their columns are.
 */
function split(parts: readonly Part[], place: number, graph: ActionGraph, to: FactBase): Split {
  const kept: Part[] = [];
  const apart: Part[] = [];
  const missing = new Set<string>();
  const sorted = parts.toSorted((one, other) => {
    const [left, right] = [positionOf(one, to), positionOf(other, to)];
    return left === right ? 0 : left - right;
  });
  for (const part of sorted) {
    const columns = isColumn(part.id)
      ? []
      : [columnOf(part.id), ...to.outgoingEdges(part.id).map((edge) => edge.to)];
    const late =
      (isColumn(part.id) && missing.size > 0) ||
      columns.some((id) => missing.has(encodeId(id))) ||
      (part.place !== undefined && graph.waitsByOthers(part.place, place));
    if (late && isColumn(part.id)) missing.add(encodeId(part.id));
    if (!late && part.place !== undefined) graph.join(part.place, place);
    (late ? apart : kept).push(part);
  }
  return { kept, apart };
}

/** The definition with all that is kept. */
function complete(definition: TableDefinition, kept: readonly Part[]): TableDefinition {
  const defaults = new Map(
    kept.flatMap(({ id, clause }) => (id.kind === "default" ? [[encodeId(columnOf(id)), clause]] : [])),
  );
  const clauses = kept.flatMap(({ id, clause }) => {
    if (id.kind === "default") return [];
    const value = defaults.get(encodeId(id));
    return [value === undefined ? clause : `${clause} ${value}`];
  });
  return { ...definition, clauses };
}

/** Statements for parts that the definition had and that follow the table now, by the place that they are behind. */
function followers(table: TableDefinition, action: Action, { apart }: Split, graph: ActionGraph) {
  const found = new Map<number, Action[]>();
  let last = apart.find(({ place }) => place !== undefined)?.place;
  for (const { id, clause, produces, place } of apart) {
    if (place !== undefined && isColumn(id)) {
      if (last !== undefined) graph.follow(place, last);
      last = place;
    }
    if (place !== undefined || last === undefined) continue;
    const sql = `ALTER TABLE ${table.table} ADD ${isColumn(id) ? "COLUMN " : ""}${clause}`;
    found.set(last, [...(found.get(last) ?? []), { ...action, sql, produces: [...produces] }]);
  }
  return found;
}

const typeKinds = new Set(["type", "domain", "collation"]);
const routineKinds = new Set(["function", "procedure", "aggregate"]);
const groundKinds = new Set(["schema", "extension", "fdw", "server"]);

const isCreation = ({ verb, sql, produces: [id] }: Action, kinds: ReadonlySet<string>) =>
  verb === "create" && id !== undefined && kinds.has(id.kind) && sql.startsWith("CREATE ");

/** The places of a plan with types and routines before what may use them, as far as they can be. */
function readingOrder(actions: readonly Action[]): number[] {
  const places = actions.map((_, place) => place);
  const of = (kinds: ReadonlySet<string>) =>
    places.filter((place) => isCreation(actions[place] as Action, kinds));
  const lifted = new Set([...of(typeKinds), ...of(routineKinds)]);
  const first = actions.findIndex((one) => one.verb !== "drop" && !isCreation(one, groundKinds));
  const rest = (some: readonly number[]) => some.filter((place) => !lifted.has(place));
  return [...rest(places.slice(0, first)), ...lifted, ...rest(places.slice(first))];
}

/** Puts the columns that a table gets one behind the other, in their order. */
function inColumnOrder(additions: readonly (readonly Part[])[], graph: ActionGraph, to: FactBase): void {
  for (const parts of additions) {
    const columns = parts.filter(({ id }) => isColumn(id));
    const sorted = columns.toSorted((one, other) => positionOf(one, to) - positionOf(other, to));
    sorted.forEach(({ place }, index) => {
      const before = sorted[index - 1]?.place;
      if (place !== undefined && before !== undefined) graph.follow(place, before);
    });
  }
}

/**
 * A plan that creates each table by one statement, with its columns in the schema's order, behind the types and routines
 * that they need. A column follows its table where something that it needs depends on the table itself. Pure.
 *
 * @param from the schema that the plan leads away from
 * @param to the schema that it leads to
 */
export function withWholeTables(actions: readonly Action[], from: FactBase, to: FactBase): readonly Action[] {
  const additions = additionsIn(actions, to);
  const order = readingOrder(actions);
  if (additions.size === 0 && order.every((place, index) => place === index)) return actions;
  const graph = new ActionGraph(predecessorsOf(actions, from, to));
  inColumnOrder([...additions.values()], graph, to);
  const behind = new Map<number, Action[]>();
  const whole = actions.map((action, place) => {
    const table = action.produces.find(({ kind }) => kind === "table" || kind === "foreignTable");
    const added = table === undefined ? undefined : additions.get(encodeId(table));
    const definition = added === undefined || action.verb !== "create" ? undefined : readTable(action.sql);
    if (added === undefined || definition === undefined || table === undefined) return action;
    const parts = split([...partsOf(action, definition), ...added], place, graph, to);
    for (const [last, some] of followers(definition, action, parts, graph)) behind.set(last, some);
    const produces = [table, ...parts.kept.flatMap((part) => part.produces)];
    return { ...action, sql: renderTable(complete(definition, parts.kept)), produces };
  });
  return graph.ordered(order).flatMap((place) => [whole[place] as Action, ...(behind.get(place) ?? [])]);
}

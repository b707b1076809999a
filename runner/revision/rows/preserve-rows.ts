import { encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { literal, qualified } from "../../postgres/sql.ts";
import {
  allColumns,
  isColumn,
  isTable,
  parentsOf,
  type TableId,
  withTablesBelow,
} from "../catalog/managed-view.ts";
import { freeNames } from "../plan/order/name-conflicts.ts";
import { plain } from "../script/sql-text.ts";
import { heldValues } from "./carried-values.ts";
import { returning, type Value } from "./restore-rows.ts";

/** A table whose rows are taken away and brought back. */
interface Trip {
  readonly table: Fact & { readonly id: TableId };
  readonly into: TableId;
  readonly values: readonly (Value & { readonly out: string })[];
}

/** What a revision changes, and what goes and comes back in it. */
interface Journey {
  readonly from: FactBase;
  readonly to: FactBase;
  readonly gone: ReadonlyMap<string, Fact>;
}

function valuesOf(table: TableId, into: TableId, { from, to, gone }: Journey): Trip["values"] {
  const before = allColumns(table, from);
  return [...allColumns(into, to)].flatMap(([name, column]) => {
    const old = before.get(name);
    if (old === undefined || column.payload.generatedExpr !== null) return [];
    const { out, back } = heldValues(old, from, column, to, gone);
    if (back !== undefined) return [{ column, out, expression: back }];
    const type = String(column.payload.type);
    const expression = `${qualified(name)}::${type}`;
    const sql = `ALTER TABLE ${qualified(table.schema, table.name)} ALTER COLUMN ${qualified(name)} TYPE ${type} USING ${expression}`;
    return [
      { column, out, expression, retyping: { ...plain, sql, verb: "alter" as const, consumes: [old.id] } },
    ];
  });
}

/** The partitioned table whose rows a partition's are. */
function partitioned({ id, payload }: Fact, facts: FactBase): TableId | undefined {
  return payload.partitionBound === null ? undefined : parentsOf(id, facts)[0];
}

function tripsOf(journey: Journey): Trip[] {
  const { from, to, gone } = journey;
  return [...gone.values()].flatMap((table): Trip[] => {
    const after = isTable(table.id) ? to.get(table.id) : undefined;
    if (!isTable(table.id) || after === undefined) return [];
    const above = partitioned(table, from);
    if (above !== undefined && gone.has(encodeId(above)) && to.has(above)) return []; // its rows go with that one's
    const same = partitioned(after, to);
    const stays = above !== undefined && same !== undefined && encodeId(above) === encodeId(same);
    const into = stays && !hasRules(above, from) ? above : table.id; // another partition may hold its rows now
    return [{ table: table as Trip["table"], into, values: valuesOf(table.id, into, journey) }];
  });
}

/** Foreign tables among a table's partitions, whose rows stay where they are. */
function foreignBelow(table: TableId, facts: FactBase): string[] {
  return withTablesBelow(table, facts).flatMap((id) =>
    facts
      .incomingEdges(id)
      .flatMap(({ from }) => (from.kind === "foreignTable" ? [qualified(from.schema, from.name)] : [])),
  );
}

function takingAway({ table, values }: Trip, source: string, { from, to }: Journey): Action[] {
  const name = qualified(table.id.schema, table.id.name);
  const whole = table.payload.partitionKey === null ? "ONLY " : "";
  const after = allColumns(table.id, to);
  const lost = [...allColumns(table.id, from).values()].filter(
    ({ id, payload }) => !after.has(id.name) && payload.generatedExpr === null,
  );
  const columns = values.map(({ out, column }) => {
    const as = qualified(column.id.name);
    return out === as ? out : `${out} AS ${as}`;
  });
  const foreign = foreignBelow(table.id, from).map((below) => `${literal(below)}::regclass`);
  const elsewhere = foreign.length === 0 ? "" : ` WHERE tableoid NOT IN (${foreign.join(", ")})`;
  const say = (sql: string): Action => ({ ...plain, sql, verb: "alter", consumes: [table.id] });
  return [
    say(`LOCK TABLE ${name} IN ACCESS EXCLUSIVE MODE`),
    ...(table.payload.forceRowSecurity === true
      ? [say(`ALTER TABLE ${name} NO FORCE ROW LEVEL SECURITY`)]
      : []),
    {
      ...say(
        `CREATE TEMPORARY TABLE ${source} AS SELECT ${columns.join(", ")} FROM ${whole}${name}${elsewhere}`,
      ),
      destroys: lost.map(({ id }) => ({ ...id, schema: table.id.schema, table: table.id.name })),
      dataLoss: lost.length === 0 ? "none" : "destructive",
    },
  ];
}

/** Where the rows of a table can come back: when its columns are there, and all tables below it. */
function placeOf(into: TableId, actions: readonly Action[], to: FactBase): number {
  const below = new Set(withTablesBelow(into, to).map((id) => encodeId(id)));
  const inherited = new Set([...allColumns(into, to).values()].map(({ id }) => encodeId(id)));
  const tableOf = (id: StableId) =>
    "table" in id ? encodeId({ kind: "table", schema: id.schema, name: id.table }) : "";
  const makes = (id: StableId) =>
    below.has(encodeId(id)) || (isColumn(id) && (inherited.has(encodeId(id)) || below.has(tableOf(id))));
  const place = actions.findLastIndex(({ verb, produces }) => verb !== "drop" && produces.some(makes));
  return place < 0 ? actions.length - 1 : place;
}

/** Foreign keys go first: one to a partitioned table holds on to the partitions. */
function keysFirst(drops: readonly Action[]): Action[] {
  const isKey = ({ sql }: Action) => sql.includes(" DROP CONSTRAINT ");
  return [...drops.filter(isKey), ...drops.filter((action) => !isKey(action))];
}

/** True for a statement that drops what is rebuilt with its rows, or partitions of that. */
function losesNothing({ destroys }: Action, trips: readonly Trip[], from: FactBase): boolean {
  const kept = new Set(
    trips.flatMap(({ table }) => {
      const whole = table.payload.partitionKey === null ? [table.id] : withTablesBelow(table.id, from);
      return whole.map((id) => encodeId(id));
    }),
  );
  return destroys.some((id) => isTable(id) && kept.has(encodeId(id)));
}

/**
 * Statements that rebuild tables, with statements around them that take the rows away and bring them
 * back. Pure.
 */
export function withRowsKept(
  drops: readonly Action[],
  actions: readonly Action[],
  journey: Journey,
): { readonly drops: readonly Action[]; readonly actions: readonly Action[] } {
  const trips = tripsOf(journey);
  const staying = trips.flatMap(({ into }) => (journey.gone.has(encodeId(into)) ? [] : [into]));
  const quiet = quietTriggers(staying, journey.from, journey.to);
  const free = freeNames(journey.from, journey.to);
  const back = new Map<number, Action[]>();
  const away = trips.flatMap((trip) => {
    const source = `pg_temp.${qualified(free("pg_temp", trip.table.id.name))}`;
    const place = placeOf(trip.into, actions, journey.to);
    const drop: Action = { ...plain, sql: `DROP TABLE ${source}`, verb: "alter" };
    back.set(place, [...(back.get(place) ?? []), returning(trip.into, source, trip.values), drop]);
    return takingAway(trip, source, journey);
  });
  const last = Math.max(...back.keys());
  const harmless = (action: Action): Action =>
    losesNothing(action, trips, journey.from) ? { ...action, dataLoss: "none" } : action;
  return {
    drops: [...away, ...quiet.off, ...keysFirst(drops).map(harmless)],
    actions: actions.flatMap((action, index) => {
      const returned = back.get(index) ?? [];
      return [action, ...returned.slice(0, -1), ...(index === last ? quiet.on : []), ...returned.slice(-1)];
    }),
  };
}

type TriggerId = { readonly schema: string; readonly table: string; readonly name: string };

/** How a trigger is enabled that fires for rows which come back. */
const enabling: Readonly<Record<string, string>> = { O: "ENABLE", A: "ENABLE ALWAYS" };

function triggersOf(table: TableId, facts: FactBase): Fact[] {
  const own = facts
    .childrenOf(table)
    .filter(({ id, payload }) => id.kind === "trigger" && String(payload.enabled) in enabling);
  return [...own, ...parentsOf(table, facts).flatMap((parent) => triggersOf(parent, facts))];
}

function say({ id }: Fact, verb: string): Action {
  const { schema, table, name } = id as TriggerId & Fact["id"];
  const sql = `ALTER TABLE ${qualified(schema, table)} ${verb} TRIGGER ${qualified(name)}`;
  return { ...plain, sql, verb: "alter" };
}

/** Statements around rows that come back to tables which stay: no trigger there takes them for new ones. */
export function quietTriggers(
  tables: readonly TableId[],
  from: FactBase,
  to: FactBase,
): { readonly off: Action[]; readonly on: Action[] } {
  const all = tables.flatMap((table) => triggersOf(table, from));
  const triggers = [...new Map(all.map((fact) => [encodeId(fact.id), fact])).values()];
  const same = triggers.filter(({ id }) => to.has(id) && from.hashOf(id) === to.hashOf(id));
  return {
    off: triggers.map((fact) => say(fact, "DISABLE")),
    on: same.map((fact) => say(fact, enabling[String(fact.payload.enabled)] ?? "")),
  };
}

/** True where a rule may turn an INSERT into something else. */
export function hasRules(table: TableId, facts: FactBase): boolean {
  return facts.childrenOf(table).some(({ id }) => id.kind === "rule");
}

import type { FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { isUserSchema } from "../../postgres/sql.ts";
import { ownColumns, pathOf } from "./managed-view.ts";

/**
 * The columns of each table, inherited ones too, and the attributes of each composite type, in their order; by the path of the
 * table or the type, such as `public.users`.
 */
export type ColumnOrder = ReadonlyMap<string, readonly string[]>;

/** Reads the order of columns of all tables, partitions, foreign tables and composite types of users. */
export async function readColumnOrder(client: pg.Client): Promise<ColumnOrder> {
  const rows = await rowsOf<{ path: string; columns: string[] }>(
    client,
    `SELECT n.nspname || '.' || c.relname AS path, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'c') AND ${isUserSchema("n.nspname")}
     GROUP BY 1`,
  );
  return new Map(rows.map(({ path, columns }) => [path, columns]));
}

const orderedKinds = new Set(["table", "foreignTable", "type"]);

/** The names of the columns that a table declares, or of a composite type's attributes, in their order. */
function namesOf(id: StableId, facts: FactBase): string[] {
  if (id.kind !== "type") return ownColumns(id, facts).map((column) => column.id.name);
  const attributes = facts
    .childrenOf(id)
    .flatMap(({ id: { kind, ...rest }, payload }) =>
      kind === "typeAttribute" && "name" in rest
        ? [{ name: rest.name, position: Number(payload._position) }]
        : [],
    );
  return attributes.sort((one, other) => one.position - other.position).map(({ name }) => name);
}

const wordFor = ({ kind }: StableId) => (kind === "type" ? "attributes" : "columns");

/** The tables and types of a schema that another one lacks. */
function tablesOnlyIn(facts: FactBase, other: FactBase): StableId[] {
  return facts.facts().flatMap(({ id }) => (orderedKinds.has(id.kind) && !other.has(id) ? [id] : []));
}

function misordered(id: StableId, found: readonly string[], expected: readonly string[]): string {
  return `the ${wordFor(id)} of ${pathOf(id)} are in another order: found ${found.join(", ")}, expected ${expected.join(", ")}`;
}

/** A line for each table and composite type that was created and has its columns in another order than expected. */
export function createdInOtherOrder(
  found: ColumnOrder,
  expected: ColumnOrder,
  facts: FactBase,
  other: FactBase,
): string[] {
  return tablesOnlyIn(facts, other).flatMap((id) => {
    const path = pathOf(id);
    const [has, wants] = [found.get(path), expected.get(path)];
    if (has === undefined || wants === undefined || has.join("\0") === wants.join("\0")) return [];
    return [misordered(id, has, wants)];
  });
}

/** The order of a table's columns after a migration that keeps the table: new columns are behind the others. */
function reached(before: readonly string[], after: readonly string[]): string[] {
  const wanted = new Set(after);
  const present = new Set(before);
  return [...before.filter((name) => wanted.has(name)), ...after.filter((name) => !present.has(name))];
}

/**
 * A line for each table and composite type that is kept and cannot get the order of columns that the models have: PostgreSQL
 * adds a column behind all others, and moves none.
 *
 * @param actions the plan from one to the other: tables that it creates get their order
 */
export function unreachableOrders(from: FactBase, to: FactBase, actions: readonly Action[]): string[] {
  const created = new Set(
    actions.flatMap(({ produces }) => produces.filter(({ kind }) => orderedKinds.has(kind)).map(pathOf)),
  );
  return to.facts().flatMap(({ id }) => {
    if (!orderedKinds.has(id.kind) || !from.has(id) || created.has(pathOf(id))) return [];
    const [before, after] = [from, to].map((facts) => namesOf(id, facts));
    const order = reached(before ?? [], after ?? []);
    if (after === undefined || order.join("\0") === after.join("\0")) return [];
    return [
      `the ${wordFor(id)} of ${pathOf(id)} stay in another order than the models': ${order.join(", ")} instead of ${after.join(", ")} (PostgreSQL cannot move ${id.kind === "type" ? "an attribute" : "a column"})`,
    ];
  });
}

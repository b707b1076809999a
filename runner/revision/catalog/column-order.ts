import type { FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { isUserSchema } from "../../postgres/sql.ts";
import { ownColumns, pathOf } from "./managed-view.ts";

/** The columns of each table, inherited ones too, in their order; by the table's path, such as `public.users`. */
export type ColumnOrder = ReadonlyMap<string, readonly string[]>;

/** Reads the order of columns of all tables, partitions and foreign tables of users. */
export async function readColumnOrder(client: pg.Client): Promise<ColumnOrder> {
  const rows = await rowsOf<{ path: string; columns: string[] }>(
    client,
    `SELECT n.nspname || '.' || c.relname AS path, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f') AND ${isUserSchema("n.nspname")}
     GROUP BY 1`,
  );
  return new Map(rows.map(({ path, columns }) => [path, columns]));
}

const tableKinds = new Set(["table", "foreignTable"]);

/** The tables of a schema that another one lacks. */
function tablesOnlyIn(facts: FactBase, other: FactBase): StableId[] {
  return facts.facts().flatMap(({ id }) => (tableKinds.has(id.kind) && !other.has(id) ? [id] : []));
}

function misordered(path: string, found: readonly string[], expected: readonly string[]): string {
  return `the columns of ${path} are in another order: found ${found.join(", ")}, expected ${expected.join(", ")}`;
}

/** A line for each table that was created and has its columns in another order than expected. */
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
    return [misordered(path, has, wants)];
  });
}

/** The order of a table's columns after a migration that keeps the table: new columns are behind the others. */
function reached(before: readonly string[], after: readonly string[]): string[] {
  const wanted = new Set(after);
  const present = new Set(before);
  return [...before.filter((name) => wanted.has(name)), ...after.filter((name) => !present.has(name))];
}

/**
 * A line for each table that is kept and cannot get the order of columns that the models have: PostgreSQL adds a column
 * behind all others, and moves none.
 *
 * @param actions the plan from one to the other: tables that it creates get their order
 */
export function unreachableOrders(from: FactBase, to: FactBase, actions: readonly Action[]): string[] {
  const created = new Set(
    actions.flatMap(({ produces }) => produces.filter(({ kind }) => tableKinds.has(kind)).map(pathOf)),
  );
  return to.facts().flatMap(({ id }) => {
    if (!tableKinds.has(id.kind) || !from.has(id) || created.has(pathOf(id))) return [];
    const [before, after] = [from, to].map((facts) => ownColumns(id, facts).map((column) => column.id.name));
    const order = reached(before ?? [], after ?? []);
    if (after === undefined || order.join("\0") === after.join("\0")) return [];
    return [
      `the columns of ${pathOf(id)} stay in another order than the models': ${order.join(", ")} instead of ${after.join(", ")} (PostgreSQL cannot move a column)`,
    ];
  });
}

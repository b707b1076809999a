import type { Action } from "@supabase/pg-delta/plan";
import { qualified } from "../../postgres/sql.ts";
import type { ColumnFact, TableId } from "../catalog/managed-view.ts";
import { plain } from "../script/sql-text.ts";

/** A value that goes into a column. */
export interface Value {
  readonly column: ColumnFact;
  readonly expression: string;
  /** The change of type that tells what the expression must be. */
  readonly retyping?: Action;
}

/** Brings back the rows of a table that was rebuilt. */
export interface Return extends Action {
  readonly into: TableId;
  readonly source: string;
  readonly values: readonly Value[];
}

/** Tells the statement that brings rows back. */
export function isReturn(action: Action): action is Return {
  return "source" in action;
}

/** The statement that brings rows back with these values. */
export function returning(into: TableId, source: string, values: readonly Value[]): Return {
  const names = values.map(({ column }) => qualified(column.id.name)).join(", ");
  const overriding = values.some(({ column }) => column.payload.identity !== null)
    ? " OVERRIDING SYSTEM VALUE"
    : "";
  const target = `INSERT INTO ${qualified(into.schema, into.name)}`;
  const sql =
    values.length === 0
      ? `DO 'BEGIN FOR i IN 1 .. (SELECT count(*) FROM ${source}) LOOP ${target} DEFAULT VALUES; END LOOP; END'`
      : `${target} (${names})${overriding} SELECT ${values.map(({ expression }) => expression).join(", ")} FROM ${source}`;
  return { ...plain, sql, verb: "alter", consumes: [into], into, source, values };
}

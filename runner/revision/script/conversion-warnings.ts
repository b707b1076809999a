import type { FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { literal } from "../../postgres/sql.ts";
import { isStoredAlike } from "../../statement-facts/type-changes.ts";
import { type ColumnId, pathOf } from "../catalog/managed-view.ts";
import { columnOf, isString } from "./conversions.ts";

/** How pg-delta changes a column to an enum's new values. */
const relabelling = /^ALTER TABLE .* ALTER COLUMN .* TYPE .* USING .*::text(\[\])?::/s;

const widths = ["smallint", "integer", "bigint", "numeric", "double precision"];
const lengthOf = (type: string) => Number(type.match(/\((\d+)\)/)?.[1] ?? Number.POSITIVE_INFINITY);

/** True where every value of one type is one of the other. */
function fits(old: string, type: string): boolean {
  if (isString(type)) return isString(old) ? lengthOf(old) <= lengthOf(type) : lengthOf(type) === Infinity;
  const [before, after] = [widths.indexOf(old), widths.indexOf(type)];
  const days = old === "date" && type.startsWith("timestamp");
  return days || (before >= 0 && before <= after);
}

/** True for a change of a column's type that takes no longer where there are many rows. */
export function leavesRowsAlone(action: Action, from: FactBase, to: FactBase): boolean {
  const id = / ALTER COLUMN .* TYPE /s.test(action.sql) ? columnOf(action) : undefined;
  if (id === undefined) return false;
  const [old, type] = [from, to].map((facts) => String(facts.get(id)?.payload.type));
  return old !== undefined && type !== undefined && isStoredAlike(old, type);
}

function lostLabels(id: ColumnId, from: FactBase, to: FactBase): string[] {
  const labels = (facts: FactBase) =>
    facts.outgoingEdges(id).flatMap((edge) => (facts.get(edge.to)?.payload.values ?? []) as string[]);
  const wanted = labels(to);
  return labels(from).filter((label) => !wanted.includes(label));
}

/** What a person should know of rows before a column gets another type; undefined where it cannot fail. */
export function conversionAdvice(action: Action, from: FactBase, to: FactBase): string | undefined {
  const id = columnOf(action);
  if (id === undefined || !/ ALTER COLUMN .* TYPE /s.test(action.sql)) return undefined;
  const [old, type] = [from, to].map((facts) => String(facts.get(id)?.payload.type));
  if (old === undefined || type === undefined) return undefined;
  if (relabelling.test(action.sql) && old === type) {
    const lost = lostLabels(id, from, to).map((label) => literal(label));
    return lost.length === 0
      ? undefined
      : `FAILS where ${pathOf(id)} holds ${lost.join(" or ")}: change those rows first`;
  }
  if (old === type || fits(old, type)) return undefined;
  if (old.startsWith("timestamp") && type.startsWith("timestamp"))
    return `values are taken as of the session's TimeZone: USING … AT TIME ZONE says another one`;
  return `FAILS where a value of ${pathOf(id)} does not fit ${type}: write a USING of your own where it should be converted`;
}

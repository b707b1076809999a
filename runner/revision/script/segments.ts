import type { Action } from "@supabase/pg-delta/plan";
import { piecesOf } from "../../postgres/sql-lexer.ts";

/** Runs of actions that one transaction may hold; a run that may hold none is marked. */
export interface Segment {
  readonly actions: readonly Action[];
  readonly transactional: boolean;
}

const newValue = /^ALTER TYPE .* ADD VALUE ('(?:[^']|'')*')/s;

/** A value that was just added to an enum must be committed before anything may use it (error 55P04). */
function uses({ sql }: Action, values: readonly string[]): boolean {
  if (values.length === 0 || newValue.test(sql)) return false;
  if (sql.startsWith("LOCK TABLE ")) return true; // rows that are taken away come back in the same transaction
  if (/ALTER COLUMN .* TYPE /s.test(sql)) return true; // rows may be converted to it
  const literals = piecesOf(sql).filter(({ kind }) => kind === "literal");
  return values.some((value) => literals.some(({ text }) => text.includes(value.slice(1, -1))));
}

/** Cuts a plan where PostgreSQL needs a commit, or no transaction at all. */
export function segmentsOf(actions: readonly Action[]): Segment[] {
  const segments: { actions: Action[]; transactional: boolean }[] = [];
  let uncommitted: string[] = [];
  for (const action of actions) {
    const transactional = action.transactionality !== "nonTransactional";
    const last = segments.at(-1);
    if (!transactional || last?.transactional !== true || uses(action, uncommitted)) {
      segments.push({ actions: [], transactional });
      uncommitted = [];
    }
    segments.at(-1)?.actions.push(action);
    const value = action.sql.match(newValue)?.[1];
    if (value !== undefined) uncommitted.push(value);
  }
  return segments;
}

import { buildFactBase, encodeId, type Fact, type FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { type ColumnId, isColumn } from "./managed-view.ts";
import { plain } from "./plain-action.ts";
import { quoted } from "./sql-text.ts";
import { isVirtual } from "./virtual-columns.ts";

/** A column whose values are stored, and computed from others. */
type Generated = Fact & { readonly id: ColumnId };

function becomesPlain(fact: Fact, to: FactBase): fact is Generated {
  const expression = fact.payload.generatedExpr;
  if (!isColumn(fact.id) || typeof expression !== "string" || isVirtual(expression)) return false;
  return to.get(fact.id)?.payload.generatedExpr === null;
}

function dropExpression({ id }: Generated): Action {
  const sql = `ALTER TABLE ${quoted(id.schema, id.table)} ALTER COLUMN ${quoted(id.name)} DROP EXPRESSION`;
  return { ...plain, sql, verb: "alter", consumes: [id] };
}

/**
 * A stored generated column that becomes a plain one keeps its values: the planner would drop it and add it again. Pure.
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

import type { FactBase } from "@supabase/pg-delta/core";
import { conversionAdvice } from "./conversion-advice.ts";
import { fillerFor } from "./filler.ts";
import { pathOf } from "./managed-view.ts";
import type { Statement } from "./render.ts";
import { type Return, returning } from "./row-return.ts";
import type { Way } from "./statements.ts";
import { allColumns, type ColumnFact } from "./table-columns.ts";

/** Columns that may not be NULL, and have no value in rows that come back. */
function withoutValue({ into, values }: Return, to: FactBase): ColumnFact[] {
  const given = new Set(values.map(({ column }) => column.id.name));
  return [...allColumns(into, to).values()].filter(({ id, payload }) => {
    const own =
      payload.identity !== null || payload.generatedExpr !== null || to.has({ ...id, kind: "default" });
    return payload.notNull === true && !own && !given.has(id.name);
  });
}

/** The statement that brings rows back, with what a person should know of them; a way down fills what has no value. */
export function returnedRows(action: Return, { direction, from, to }: Way): Statement {
  const advice = action.values.flatMap(({ expression, retyping }) => {
    const sql = retyping?.sql.replace(/ USING .*$/s, ` USING ${expression}`);
    return (retyping && conversionAdvice({ ...retyping, sql: sql ?? "" }, from, to)) ?? [];
  });
  const missing = withoutValue(action, to).map((column) => {
    const expression = direction === "up" ? undefined : fillerFor(to, column.id);
    return { column, expression };
  });
  const filled = missing.flatMap(({ column, expression }) =>
    expression === undefined ? [] : [{ column, expression }],
  );
  const notes = missing.map(({ column: { id }, expression }) =>
    expression === undefined
      ? `FAILS where ${pathOf(action.into)} holds rows: give ${id.name} a value here`
      : `the old values of ${pathOf(id)} are gone: rows get ${expression}`,
  );
  const { sql } = returning(action.into, action.source, [...action.values, ...filled]);
  return { sql, comments: [...advice, ...notes] };
}

function indented({ sql, comments }: Statement): string {
  return [...comments.map((line) => `  -- ${line}`), `  ${sql.trimEnd().replace(/;$/, "")};`].join("\n");
}

/** Where no transaction holds the whole script, the statements from where rows go to where they are back are one. */
export function inOneStatement(statements: readonly Statement[]): Statement[] {
  const first = statements.findIndex(({ sql }) => sql.startsWith("LOCK TABLE "));
  const last = statements.findLastIndex(({ sql }) => sql.startsWith("DROP TABLE pg_temp."));
  if (first < 0) return [...statements];
  const body = statements.slice(first, last + 1).map(indented);
  const comments = ["one statement: the rows that are taken away come back, or nothing of this happens"];
  const sql = `DO $rows$\nBEGIN\n${body.join("\n")}\nEND\n$rows$`;
  return [...statements.slice(0, first), { sql, comments }, ...statements.slice(last + 1)];
}

import type { Action } from "@supabase/pg-delta/plan";
import { piecesOf } from "../../postgres/sql-lexer.ts";
import type { StatementForm } from "../../statement-facts/facts.ts";

const added = String.raw`^ALTER TABLE .* ADD CONSTRAINT (?:"[^"]*"|\S+) `;

/** How statements of each form begin, as pg-delta writes them. The first that fits counts. */
const beginnings: readonly (readonly [RegExp, StatementForm])[] = [
  [/^CREATE (?:UNIQUE )?INDEX CONCURRENTLY /, "create-index-concurrently"],
  [/^CREATE (?:UNIQUE )?INDEX (?:"(?:[^"]|"")*"|\S+) ON ONLY /, "create-index-only"],
  [/^CREATE (?:UNIQUE )?INDEX /, "create-index"],
  [/^DROP INDEX CONCURRENTLY /, "drop-index-concurrently"],
  [/^DROP INDEX /, "drop-index"],
  [/ ALTER COLUMN .* SET NOT NULL$/s, "set-not-null"],
  [new RegExp(`${added}(?:UNIQUE|PRIMARY KEY) USING INDEX `, "s"), "add-unique-using-index"],
  [new RegExp(`${added}(?:UNIQUE|PRIMARY KEY)\\b`, "s"), "add-unique"],
  [new RegExp(`${added}EXCLUDE `, "s"), "add-exclusion"],
  [new RegExp(`${added}FOREIGN KEY .* NOT VALID$`, "s"), "add-foreign-key-not-valid"],
  [new RegExp(`${added}FOREIGN KEY `, "s"), "add-foreign-key"],
  [new RegExp(`${added}CHECK .* NOT VALID$`, "s"), "add-check-not-valid"],
  [new RegExp(`${added}CHECK `, "s"), "add-check"],
  [/^ALTER TABLE .* SET (?:UN)?LOGGED$/s, "set-logged"],
];

/** Functions that give every row the same value, so that a new column's default is kept in the catalog alone. */
const steady = /^(?:now|current_timestamp|transaction_timestamp|statement_timestamp)$/i;

/** True where a new column's value is computed for each row that is there. */
function computesEachRow(sql: string): boolean {
  if (/ GENERATED ALWAYS AS \(.*\) STORED\b| AS IDENTITY\b/s.test(sql)) return true;
  const plain = piecesOf(sql)
    .filter(({ kind }) => kind === "text")
    .map(({ text }) => text)
    .join("''");
  const value = plain.match(/ DEFAULT (.*)$/s)?.[1]?.replace(/::\s*[\w ."]+?\(\d+(?:,\s*\d+)?\)/g, "") ?? "";
  return [...value.matchAll(/([\w.]+)\s*\(/g)].some(([, name = ""]) => !steady.test(name));
}

/** The form of a generated statement; undefined for one that keeps nobody waiting for long. */
export function formOf({ sql, rewriteRisk }: Action): StatementForm | undefined {
  if (/^ALTER TABLE .* ADD COLUMN /s.test(sql))
    return computesEachRow(sql) ? "add-column-rewrite" : "add-column";
  if (/ ALTER COLUMN .* TYPE /s.test(sql)) return rewriteRisk ? "change-column-type" : "widen-column-type";
  return beginnings.find(([beginning]) => beginning.test(sql))?.[1];
}

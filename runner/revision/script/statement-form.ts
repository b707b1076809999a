import type { FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import type { StatementForm } from "../../statement-facts/facts.ts";
import { isColumn } from "../catalog/managed-view.ts";
import { isWrittenToEachRow } from "../rows/computed-columns.ts";

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

/**
 * The form of a generated statement; undefined for one that keeps nobody waiting for long.
 * @param facts the schema that it leads to
 */
export function formOf({ sql, rewriteRisk, produces }: Action, facts: FactBase): StatementForm | undefined {
  if (/^ALTER TABLE .* ADD COLUMN /s.test(sql)) {
    const column = produces.find(isColumn);
    return column !== undefined && isWrittenToEachRow(column, facts) ? "add-column-rewrite" : "add-column";
  }
  if (/ ALTER COLUMN .* TYPE /s.test(sql)) return rewriteRisk ? "change-column-type" : "widen-column-type";
  return beginnings.find(([beginning]) => beginning.test(sql))?.[1];
}

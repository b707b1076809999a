import type { FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { blocksForLong, describeLongLock } from "../../statement-facts/facts.ts";
import { isColumn, pathOf } from "../catalog/managed-view.ts";
import { formOf } from "./statement-form.ts";

/** The table (or view) that an action works on. */
function relationOf({ produces, consumes, destroys }: Action): string | undefined {
  for (const id of [...destroys, ...produces, ...consumes] as (StableId & { table?: string })[]) {
    if (id.kind === "table" || id.kind === "materializedView") return pathOf(id);
    if (id.table !== undefined && "schema" in id) return `${id.schema}.${id.table}`;
  }
  return undefined;
}

/** What holds rows or values, and goes: a table stands for its columns. */
function lost({ destroys }: Action): string {
  const tables = destroys.filter(({ kind }) => kind === "table").map(pathOf);
  const ids = destroys.filter((id) =>
    isColumn(id)
      ? !tables.includes(`${id.schema}.${id.table}`)
      : ["table", "materializedView", "typeAttribute"].includes(id.kind),
  );
  return ids.length === 0
    ? "rows may not fit the new definition"
    : ids
        .slice(0, 3)
        .map((id) => `${id.kind} ${pathOf(id)}`)
        .join(", ");
}

/** Which rows refuse a new constraint or unique index, by how its definition begins. */
const refusals: readonly (readonly [definition: RegExp, rows: string])[] = [
  [/^CREATE UNIQUE INDEX /, "two rows have the same values"],
  [/^ALTER TABLE .* ADD CONSTRAINT (?:"[^"]*"|\S+) UNIQUE /s, "two rows have the same values"],
  [
    /^ALTER TABLE .* ADD CONSTRAINT (?:"[^"]*"|\S+) PRIMARY KEY /s,
    "two rows have the same key, or one has none",
  ],
  [/^ALTER TABLE .* ADD CONSTRAINT (?:"[^"]*"|\S+) FOREIGN KEY /s, "a row refers to nothing"],
  [/^ALTER TABLE .* ADD CONSTRAINT (?:"[^"]*"|\S+) CHECK /s, "a row does not meet it"],
  [/^ALTER TABLE .* VALIDATE CONSTRAINT /s, "a row does not meet it"],
  [/^ALTER TABLE .* ADD CONSTRAINT (?:"[^"]*"|\S+) EXCLUDE /s, "two rows exclude each other"],
];

/** What others wait for while a statement works through all rows of a table. */
function lockOf(action: Action, relation: string, facts: FactBase): string | undefined {
  const form = formOf(action, facts);
  if (form === undefined || !blocksForLong(form)) return undefined;
  const gentler = form === "create-index" ? " (see CONCURRENTLY)" : "";
  return `LONG LOCK: ${describeLongLock(form, relation)}${gentler}`;
}

/** Tables and materialized views that are there before a plan and stay: others may be using them. By their paths. */
export function existingTables(actions: readonly Action[], from: FactBase): Set<string> {
  const gone = new Set(actions.flatMap(({ destroys }) => destroys.map(pathOf)));
  const ids = from.facts().map(({ id }) => id);
  const tables = ids.filter(({ kind }) => kind === "table" || kind === "materializedView").map(pathOf);
  return new Set(tables.filter((table) => !gone.has(table)));
}

/**
 * Why rows can make an action fail, such as "FAILS where a row refers to nothing".
 * @param met true where no row that is there can
 */
export function failuresOf({ sql, consumes }: Action, met: boolean): string[] {
  if (met) return [];
  const column = consumes.find(isColumn);
  if (column !== undefined && / ALTER COLUMN .* SET NOT NULL$/s.test(sql))
    return [`FAILS where ${pathOf(column)} holds NULL: fill those rows first`];
  const rows = refusals.find(([definition]) => definition.test(sql))?.[1];
  return rows === undefined ? [] : [`FAILS where ${rows}`];
}

/** What comments on an action hang on. */
export interface Surroundings {
  /** Names of the tables that are there before, whose locks others would feel. */
  readonly existing: ReadonlySet<string>;
  /** The schema that the action leads to. */
  readonly facts: FactBase;
}

/**
 * Comments on an action: lost data first, then long locks, then rows that make it fail.
 * @param met true where no row that is there can make it fail
 */
export function commentsOn(action: Action, { existing, facts }: Surroundings, met = false): string[] {
  const comments = action.dataLoss === "destructive" ? [`DATA LOSS: ${lost(action)}`] : [];
  const relation = relationOf(action);
  if (action.sql.startsWith("LOCK TABLE "))
    return [
      `LONG LOCK: the rows of ${relation} are taken away and come back while nobody can read or write it`,
    ];
  if (relation === undefined || !existing.has(relation) || / NOT VALID$/.test(action.sql)) return comments;
  const lock = lockOf(action, relation, facts);
  const said = [...(lock === undefined ? [] : [lock]), ...failuresOf(action, met)];
  return said.length === 0 ? comments : [...comments, said.join("; ")];
}

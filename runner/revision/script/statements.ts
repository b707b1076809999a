import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { identifier, qualified } from "../../postgres/sql.ts";
import { allColumns, type ColumnFact, type ColumnId, isColumn, pathOf } from "../catalog/managed-view.ts";
import { repeatable } from "../online/fill.ts";
import { isOnline } from "../online/segments.ts";
import type { SchemaPair } from "../plan/schema-pair.ts";
import { publicationAdvice } from "../plan/statements/publications.ts";
import { fillerFor } from "../rows/default-values.ts";
import { isReturn, type Return, returning } from "../rows/restore-rows.ts";
import { everyRowMeets } from "./constraint-warnings.ts";
import { conversionAdvice, leavesRowsAlone } from "./conversion-warnings.ts";
import { withAlterationsJoined } from "./join-alterations.ts";
import type { Statement } from "./render.ts";
import { raisedFloor, sequenceStarts } from "./sequences.ts";
import { commentsOn, existingTables } from "./warnings.ts";

/** The column that an action adds to a table which may hold rows, if it may not be NULL and has no value of its own. */
function addedWithoutValue(action: Action, { from, to }: SchemaPair): ColumnId | undefined {
  if (!/^ALTER TABLE .* ADD COLUMN .* NOT NULL/s.test(action.sql) || / DEFAULT | GENERATED /.test(action.sql))
    return undefined;
  const id = action.produces.find(isColumn);
  const column = id === undefined ? undefined : to.get(id);
  return column?.parent !== undefined && from.has(column.parent) ? id : undefined;
}

/**
 * A column that comes back to a table with rows: filled where a filler can break nothing, else left nullable
 * wherever it holds NULL. On an empty table both give the column as it was.
 */
function bringBack(action: Action, id: ColumnId, { to }: SchemaPair): Statement[] {
  const table = qualified(id.schema, id.table);
  const column = identifier(id.name);
  const filler = fillerFor(to, id);
  const plain = action.sql.replace(/ NOT NULL\b/, "");
  if (filler !== undefined)
    return [
      {
        sql: `${plain} DEFAULT ${filler} NOT NULL`,
        comments: [`the old values of ${pathOf(id)} are gone: rows get ${filler}`],
      },
      { sql: `ALTER TABLE ${table} ALTER COLUMN ${column} DROP DEFAULT`, comments: [] },
    ];
  const check =
    `DO $$\nBEGIN\n  IF NOT EXISTS (SELECT FROM ${table} WHERE ${column} IS NULL) THEN\n` +
    `    ALTER TABLE ${table} ALTER COLUMN ${column} SET NOT NULL;\n  END IF;\nEND\n$$`;
  return [
    {
      sql: plain,
      comments: [
        `${pathOf(id)} was NOT NULL, but its old values are gone: rows hold NULL until they are filled`,
      ],
    },
    { sql: check, comments: [`${repeatable} nothing changes where it is NOT NULL`] },
  ];
}

const makesRoutine = /^ *CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) /m;

/** Around statements that make functions, whose bodies may name what is made after them. */
function unchecked(statements: readonly Statement[], transactional: boolean): Statement[] {
  if (!statements.some(({ sql }) => makesRoutine.test(sql))) return [...statements];
  const comments = ["a function's body may name what is made below it"];
  if (transactional) return [{ sql: "SET LOCAL check_function_bodies = off", comments }, ...statements];
  const back = { sql: "RESET check_function_bodies", comments: [] };
  return [{ sql: "SET check_function_bodies = off", comments }, ...statements, back];
}

/** How the statements of a script are run. */
export interface Running {
  /** True where a function's body may name what is made later in the same script. */
  readonly forwardReferences: boolean;
  /** True where one transaction holds them all. */
  readonly transactional: boolean;
}

/** True where columns go whose values are computed, and are computed again right after. */
function isComputedAgain({ destroys }: Action, { from, to }: SchemaPair): boolean {
  const columns = destroys.filter(isColumn);
  const generated = (facts: FactBase, id: ColumnId) =>
    typeof facts.get(id)?.payload.generatedExpr === "string";
  return (
    columns.length === destroys.length && columns.every((id) => generated(from, id) && generated(to, id))
  );
}

function advised(action: Action, pair: SchemaPair, existing: ReadonlySet<string>): string[] {
  const { from, to } = pair;
  const around = { existing, facts: to };
  if (action.dataLoss === "destructive" && action.destroys.length > 0 && isComputedAgain(action, pair))
    return ["its values are computed again below"];
  if (leavesRowsAlone(action, from, to)) return commentsOn({ ...action, rewriteRisk: false }, around);
  const advice = conversionAdvice(action, from, to);
  if (advice === undefined) return commentsOn(action, around, everyRowMeets(action, from, to));
  return [advice, ...commentsOn({ ...action, dataLoss: "none" }, around)];
}

/** Why a column is not in the CREATE TABLE of its table, which the same script holds. */
function apartFromTable({ sql, produces }: Action, actions: readonly Action[]): string[] {
  const column = / ADD COLUMN /.test(sql) ? produces.find(isColumn) : undefined;
  const isTable = (id: StableId) =>
    column !== undefined && id.kind === "table" && id.schema === column.schema && id.name === column.table;
  if (column === undefined || !actions.some((action) => action.produces.some(isTable))) return [];
  return [`${column.name} follows its table: what it needs, or a column before it, needs the table first`];
}

/** The statements of a script, with what rows need that a catalog does not show, and with comments. */
export function statementsFor(actions: readonly Action[], pair: SchemaPair, running: Running): Statement[] {
  const dropped = new Set(actions.flatMap(({ destroys }) => destroys.map((id) => encodeId(id))));
  const existing = existingTables(actions, pair.from);
  const statements = actions.flatMap((action): Statement[] => {
    if (isReturn(action)) return [returnedRows(action, pair)];
    if (isOnline(action)) return [{ sql: action.sql, comments: action.comments, apart: true }];
    const comments = advised(action, pair, existing);
    const id = addedWithoutValue(action, pair);
    if (id === undefined)
      return [
        ...raisedFloor(action, pair.to),
        {
          sql: action.sql,
          comments: [...comments, ...apartFromTable(action, actions), ...publicationAdvice(action, dropped)],
        },
      ];
    if (pair.direction === "down") return bringBack(action, id, pair);
    const advice = `FAILS where ${id.schema}.${id.table} holds rows: give ${id.name} a DEFAULT, or add it nullable and fill it first`;
    return [{ sql: action.sql, comments: [...comments, advice] }];
  });
  const safe = running.transactional ? statements : inOneStatement(statements);
  const all = withAlterationsJoined([...safe, ...sequenceStarts(pair, actions)]);
  return running.forwardReferences ? unchecked(all, running.transactional) : all;
}

/** Columns that may not be NULL, and have no value in rows that come back. */
function withoutValue({ into, values }: Return, to: FactBase): ColumnFact[] {
  const given = new Set(values.map(({ column }) => column.id.name));
  return [...allColumns(into, to).values()].filter(({ id, payload }) => {
    const own =
      payload.identity !== null || payload.generatedExpr !== null || to.has({ ...id, kind: "default" });
    return payload.notNull === true && !own && !given.has(id.name);
  });
}

/** The statement that brings rows back, with what a person should know of them; a down migration fills what has no value. */
export function returnedRows(action: Return, { direction, from, to }: SchemaPair): Statement {
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

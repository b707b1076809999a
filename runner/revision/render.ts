import type { StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { formatSqlStatements } from "@supabase/pg-delta/sql-format";
import { pathOf } from "./managed-view.ts";
import { sameButForBlanks, withPlainNames } from "./sql-text.ts";

/** A statement of a migration and what a person should know before running it. */
export interface Statement {
  readonly sql: string;
  readonly comments: readonly string[];
}

/** One direction of a migration: its statements as they are written, and whether one transaction holds them. */
export interface Script {
  readonly paragraphs: readonly string[];
  readonly transactional: boolean;
}

const formatting = {
  keywordCase: "preserve",
  maxWidth: 110,
  preserveRoutineBodies: true,
  preserveViewBodies: true,
  preserveRuleBodies: true,
} as const;

function formatted(sql: string): string {
  const pretty = formatSqlStatements([sql], formatting).join(";\n\n");
  return sameButForBlanks(sql, pretty) ? pretty : sql;
}

/** The table (or view) that an action works on, for a comment. */
function relationOf({ produces, consumes, destroys }: Action): string | undefined {
  for (const id of [...destroys, ...produces, ...consumes] as (StableId & { table?: string })[]) {
    if (id.kind === "table" || id.kind === "materializedView") return pathOf(id);
    if (id.table !== undefined && "schema" in id) return `${id.schema}.${id.table}`;
  }
  return undefined;
}

function lost(action: Action): string {
  const ids = action.destroys.filter(({ kind }) =>
    ["table", "column", "materializedView", "typeAttribute"].includes(kind),
  );
  return ids.length === 0
    ? "rows may not fit the new definition"
    : ids
        .slice(0, 3)
        .map((id) => `${id.kind} ${pathOf(id)}`)
        .join(", ");
}

/**
 * Comments on an action: lost data first, then long locks.
 * @param existing names of the tables that are there before, whose locks others would feel
 */
export function commentsOn(action: Action, existing: ReadonlySet<string>): string[] {
  const comments: string[] = [];
  if (action.dataLoss === "destructive") comments.push(`DATA LOSS: ${lost(action)}`);
  const relation = relationOf(action);
  if (relation === undefined || !existing.has(relation)) return comments;
  if (action.rewriteRisk && /\bTYPE\b|STORED|\bUSING\b/.test(action.sql))
    comments.push(`LONG LOCK: ${relation} may be rewritten while nobody can read or write it`);
  else if (/^CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)/.test(action.sql))
    comments.push(`LONG LOCK: nobody can write to ${relation} while the index is built (see CONCURRENTLY)`);
  else if (
    /ADD CONSTRAINT .* (FOREIGN KEY|CHECK|UNIQUE|PRIMARY KEY|EXCLUDE)/s.test(action.sql) &&
    !action.sql.includes("NOT VALID")
  )
    comments.push(`LONG LOCK: every row of ${relation} is checked while nobody can write to it`);
  return comments;
}

function paragraph({ sql, comments }: Statement, keywords: ReadonlySet<string>): string {
  const text = withPlainNames(formatted(sql.trimEnd().replace(/;$/, "")), keywords);
  return [...comments.map((line) => `-- ${line}`), `${text};`].join("\n");
}

/**
 * Writes a script for people: one statement a paragraph.
 * @param keywords names that need quotes
 */
export function renderScript(
  statements: readonly Statement[],
  transactional: boolean,
  keywords: ReadonlySet<string>,
): Script {
  const nothing = { sql: "SELECT 1", comments: ["there is nothing to do on this way"] };
  const some = statements.length === 0 ? [nothing] : statements;
  return { paragraphs: some.map((one) => paragraph(one, keywords)), transactional };
}

/**
 * The whole text of a migration file.
 * @param head lines above everything else, such as what the proof could not confirm
 */
export function renderMigration(head: readonly string[], up: Script, down: Script): string {
  const marker = (way: string, { transactional }: Script) =>
    `-- migrate: ${way}${transactional ? "" : " transaction=off"}`;
  const comments = head.map((line) => `-- ${line}`);
  const section = (way: string, script: Script) => [marker(way, script), ...script.paragraphs].join("\n\n");
  return `${[...comments, section("up", up), section("down", down)].join("\n\n")}\n`;
}

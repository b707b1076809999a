import { formatSqlStatements } from "@supabase/pg-delta/sql-format";
import { sameButForBlanks, withPlainNames, withWholeNames, withWholeTypes } from "./sql-text.ts";

/** A statement of a migration and what a person should know before running it. */
export interface Statement {
  readonly sql: string;
  readonly comments: readonly string[];
  /** True for an ALTER TABLE that must not become part of another one, which runs its subcommands in an order of its own. */
  readonly apart?: true;
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

/** An ALTER TABLE statement that has a line for each of its subcommands already. */
const hasLines = /^ALTER TABLE [^\n]*\n {2}/;

/** How PostgreSQL begins the text of a view's query. */
const viewQuery = /^(CREATE (?:OR REPLACE )?(?:MATERIALIZED )?VIEW [^\n]*(?:\n *| )AS) {2}(?=\S)/;

function formatted(sql: string): string {
  if (sql.startsWith("DROP ") || hasLines.test(sql)) return sql;
  const text = formatSqlStatements([sql], formatting).join(";\n\n");
  const pretty = withWholeNames(withWholeTypes(text));
  return (sameButForBlanks(sql, pretty) ? pretty : sql).replace(viewQuery, "$1\n ");
}

function paragraph({ sql, comments }: Statement, keywords: ReadonlySet<string>): string {
  const text = formatted(withPlainNames(sql.trimEnd().replace(/;$/, ""), keywords));
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
  const nothing = { sql: "SELECT 1", comments: ["there is nothing to do in this direction"] };
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
  const comments = head.length === 0 ? [] : [head.map((line) => `-- ${line}`).join("\n")];
  const section = (way: string, script: Script) => [marker(way, script), ...script.paragraphs].join("\n\n");
  return `${[...comments, section("up", up), section("down", down)].join("\n\n")}\n`;
}

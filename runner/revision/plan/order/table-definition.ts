import { piecesOf } from "../../../postgres/sql-lexer.ts";

/** A CREATE TABLE statement: what is before its columns and constraints, these, and what is after them. */
export interface TableDefinition {
  /** Up to the opening parenthesis, such as `CREATE TABLE "public"."t" `. */
  readonly head: string;
  /** The table's name as pg-delta writes it, such as `"public"."t"`. */
  readonly table: string;
  readonly clauses: readonly string[];
  /** After the closing parenthesis, such as ` PARTITION BY RANGE (at)`. */
  readonly tail: string;
}

const beginning = /^CREATE (?:UNLOGGED |FOREIGN )?TABLE (?<table>"(?:[^"]|"")*"\."(?:[^"]|"")*") (?=\()/;

/** Cuts a list in parentheses at its commas. */
function clausesOf(text: string): { readonly clauses: string[]; readonly length: number } {
  const clauses: string[] = [];
  let depth = 0;
  let clause = "";
  let length = 0;
  for (const { kind, text: piece } of piecesOf(text))
    for (const part of kind === "text" ? piece : [piece]) {
      length += part.length;
      if (part === ")") depth -= 1;
      if (depth === 0 && part === ")")
        return { clauses: clause.trim() === "" ? clauses : [...clauses, clause.trim()], length };
      if (depth === 1 && part === ",") {
        clauses.push(clause.trim());
        clause = "";
      } else if (depth > 0) clause += part;
      if (part === "(") depth += 1;
    }
  return { clauses, length };
}

/** Reads a CREATE TABLE statement of pg-delta's; undefined for any other statement, and for a partition's. */
export function readTable(sql: string): TableDefinition | undefined {
  const [head, table] = sql.match(beginning) ?? [];
  if (head === undefined || table === undefined) return undefined;
  const { clauses, length } = clausesOf(sql.slice(head.length));
  return { head, table, clauses, tail: sql.slice(head.length + length) };
}

/** The statement of a definition. */
export function renderTable({ head, clauses, tail }: TableDefinition): string {
  return `${head}(${clauses.join(", ")})${tail}`;
}

/** What a clause defines: a column, or a constraint with a name. */
export function clauseName(clause: string): {
  readonly kind: "column" | "constraint";
  readonly name: string;
} {
  const { constraint = "", name = "" } =
    clause.match(/^(?<constraint>CONSTRAINT )?"(?<name>(?:[^"]|"")*)" /)?.groups ?? {};
  return { kind: constraint === "" ? "column" : "constraint", name: name.replaceAll('""', '"') };
}

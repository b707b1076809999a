import { type Node, parse, type SqlError } from "libpg-query";
import { InvalidScriptError, type ScannedStatement } from "../../postgres/sql-lexer.ts";

/** One statement as PostgreSQL's own parser sees it. Offsets count UTF-16 units of the script. */
export interface ParsedStatement {
  readonly node: Node;
  readonly start: number;
  readonly end: number;
  /** Rows that follow a `COPY … FROM stdin`. */
  readonly copyData?: string;
}

/** What the parser cannot read, rows of COPY, becomes blanks of as many bytes. */
function withoutRows(text: string, statements: readonly ScannedStatement[]): string {
  let result = text;
  for (const { copyData } of statements) {
    if (copyData === undefined) continue;
    const closed = text.indexOf("\n", copyData.end);
    const end = closed < 0 ? text.length : closed;
    const blank = " ".repeat(end - copyData.start);
    result = result.slice(0, copyData.start) + blank + result.slice(end);
  }
  return result;
}

/** Turns byte offsets, which rise from call to call, into offsets of a string. */
function byteOffsets(text: string): (bytes: number) => number {
  let at = 0;
  let counted = 0;
  return (bytes) => {
    while (counted < bytes && at < text.length) {
      const code = text.codePointAt(at) ?? 0;
      counted += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      at += code > 0xffff ? 2 : 1;
    }
    return at;
  };
}

function offsetOfError(error: SqlError): number {
  return Math.max((error.sqlDetails?.cursorPosition ?? 1) - 1, 0);
}

/**
 * Splits a script by PostgreSQL's own parser.
 * @param scanned the same script's statements, for the rows that follow a COPY
 * Throws InvalidScriptError where it is no valid SQL.
 */
export async function parseStatements(
  text: string,
  scanned: readonly ScannedStatement[],
): Promise<ParsedStatement[]> {
  const plain = withoutRows(text, scanned);
  const parsed = await parse(plain).catch((error: unknown) => {
    if (error instanceof Error && error.name === "SqlError")
      throw new InvalidScriptError(error.message, offsetOfError(error as SqlError));
    throw error;
  });
  const offset = byteOffsets(plain);
  const bytes = Buffer.byteLength(plain);
  return (parsed.stmts ?? []).map(({ stmt, stmt_location = 0, stmt_len }) => {
    const from = offset(stmt_location);
    const end = offset(stmt_len === undefined || stmt_len === 0 ? bytes : stmt_location + stmt_len);
    const found = scanned.find(({ start }) => start >= from && start < end);
    const rows = found?.copyData && { copyData: text.slice(found.copyData.start, found.copyData.end) };
    return { node: stmt as Node, start: found?.start ?? from, end, ...rows };
  });
}

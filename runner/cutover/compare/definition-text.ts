import { InvalidScriptError, piecesOf } from "../../postgres/sql-lexer.ts";

/** Names, numbers and signs of a definition; strings and quoted names as one each, blanks and line ends left out. */
function tokensOf(definition: string): string[] {
  return piecesOf(definition).flatMap(({ kind, text }) =>
    kind === "text" ? (text.match(/[\w$]+|[^\s\w$]/g) ?? []) : [text],
  );
}

/** Whether the tokens are the same, but for qualifiers of the older text that the newer one leaves out. */
function isSameUnqualified(older: readonly string[], newer: readonly string[]): boolean {
  let at = 0;
  for (const token of newer) {
    while (older[at] !== token && older[at + 1] === ".") at += 2;
    if (older[at] !== token) return false;
    at++;
  }
  return at === older.length;
}

/**
 * Whether two servers of different major versions print one and the same definition. Before version 16 a column of a view,
 * rule or SQL function is printed with the name of its table also where there is only one:
 * https://www.postgresql.org/docs/16/release-16.html
 */
export function isSameDefinition(older: string, newer: string): boolean {
  if (older === newer) return true;
  try {
    return isSameUnqualified(tokensOf(older), tokensOf(newer));
  } catch (error) {
    if (error instanceof InvalidScriptError) return false;
    throw error;
  }
}

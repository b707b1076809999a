import type { Action } from "@supabase/pg-delta/plan";
import { piecesOf } from "../../postgres/sql-lexer.ts";

/** All words of a text that may be names, without their quotes. */
export function namesIn(sql: string): string[] {
  return piecesOf(sql).flatMap(({ kind, text }) => {
    if (kind === "name") return [text.slice(1, -1).replaceAll('""', '"')];
    return kind === "text" ? (text.match(/[\w\u0080-\uffff]+/g) ?? []) : [];
  });
}

/** Takes the quotes off names that need none. */
export function withPlainNames(sql: string, keywords: ReadonlySet<string>): string {
  return piecesOf(sql)
    .map(({ kind, text }) => {
      const bare = text.slice(1, -1);
      return kind === "name" && /^[a-z_][a-z0-9_]*$/.test(bare) && !keywords.has(bare) ? bare : text;
    })
    .join("");
}

const longTypes =
  /\b(?:character\s+varying|double\s+precision|time(?:stamp)?(?:\(\d\))?\s+with(?:out)?\s+time\s+zone)\b/g;

/** Puts the words of a type's name on one line. */
export function withWholeTypes(sql: string): string {
  return piecesOf(sql)
    .map(({ kind, text }) =>
      kind === "text" ? text.replace(longTypes, (type) => type.replace(/\s+/g, " ")) : text,
    )
    .join("");
}

/** Joins names with the names that they are in: pg-delta's formatter takes them apart in lists of arguments. */
export function withWholeNames(sql: string): string {
  return piecesOf(sql)
    .map(({ kind, text }) => (kind === "text" ? text.replace(/(?<=[\w$]|^) +\.(?=[\w]|$)/g, ".") : text))
    .join("");
}

/** True where two texts differ by blanks between words alone. */
export function sameButForBlanks(one: string, other: string): boolean {
  const normal = (sql: string) =>
    piecesOf(sql)
      .map(({ kind, text }) => (kind === "text" ? text.replace(/\s+/g, "") : text))
      .join("");
  return normal(one) === normal(other);
}

/** An action of which no order depends and that loses nothing. */
export const plain: Omit<Action, "sql" | "verb"> = {
  produces: [],
  consumes: [],
  destroys: [],
  releases: [],
  transactionality: "transactional",
  lockClass: "accessExclusive",
  newSegmentBefore: false,
  dataLoss: "none",
  rewriteRisk: false,
};

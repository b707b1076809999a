import { RefusedError } from "../util/errors.ts";

/** A pattern for names: `*` stands for any run of characters. */
type Pattern = RegExp;

/** One parsed entry of `exclude`. An undefined schema means any; an undefined column means the whole table. */
export interface Exclusion {
  readonly text: string;
  readonly schema: Pattern | undefined;
  readonly table: Pattern;
  readonly column: Pattern | undefined;
}

const part = /"((?:[^"]|"")+)"|([^".]+)/y;

function partsOf(text: string): { value: string; quoted: boolean }[] {
  const parts: { value: string; quoted: boolean }[] = [];
  for (let at = 0; at <= text.length; ) {
    part.lastIndex = at;
    const match = part.exec(text);
    if (match === null) return [];
    parts.push({ value: match[1]?.replaceAll('""', '"') ?? match[2] ?? "", quoted: match[1] !== undefined });
    at = part.lastIndex;
    if (at === text.length) return parts;
    if (text[at++] !== ".") return [];
  }
  return [];
}

function patternOf({ value, quoted }: { value: string; quoted: boolean }): Pattern {
  const literal = (words: string) => words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${quoted ? literal(value) : value.split("*").map(literal).join(".*")}$`, "su");
}

/** What an entry of `exclude` is, for messages. */
export const exclusionForm =
  "table, schema.table, table.column or schema.table.column, with * for any characters and double quotes around a name with a dot";

/** Whether a text is an entry of `exclude`, whatever schemas there are. */
export function isExclusion(text: string): boolean {
  const { length } = partsOf(text);
  return length > 0 && length <= 3;
}

/**
 * Parses an entry of `exclude`: `table`, `schema.table`, `table.column` or `schema.table.column`, each part a
 * name, a pattern with `*`, or a name in double quotes. Of two parts, the first is a schema where one of that
 * name exists, and a table otherwise. Throws RefusedError.
 */
export function parseExclusion(text: string, schemas: Iterable<string>): Exclusion {
  const parts = partsOf(text);
  const [first, second, third] = parts;
  if (first === undefined || !isExclusion(text))
    throw new RefusedError(`exclude takes ${exclusionForm}; found "${text}"`);
  if (second === undefined) return { text, schema: undefined, table: patternOf(first), column: undefined };
  if (third !== undefined)
    return { text, schema: patternOf(first), table: patternOf(second), column: patternOf(third) };
  if ([...schemas].some((schema) => patternOf(first).test(schema)))
    return { text, schema: patternOf(first), table: patternOf(second), column: undefined };
  return { text, schema: undefined, table: patternOf(first), column: patternOf(second) };
}

/** True where the exclusion may concern a table of this schema, now or later. */
export function concernsSchema(exclusion: Exclusion, schema: string): boolean {
  return exclusion.schema === undefined || exclusion.schema.test(schema);
}

/** True where the exclusion names this table, or columns of it. */
export function concernsTable(exclusion: Exclusion, schema: string, table: string): boolean {
  return concernsSchema(exclusion, schema) && exclusion.table.test(table);
}

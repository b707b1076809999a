/** The shape that every node of PostgreSQL's parse tree has, for a rule that asks for a few fields of it. */
// biome-ignore lint/suspicious/noExplicitAny: libpg-query types a node as a union of some 270 kinds, and a rule reads fields of several
export type Fields = any;

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** The quoted name of a relation in the parse tree. */
export function relationName(relation: Fields): string {
  return [relation?.schemaname, relation?.relname].filter(Boolean).map(quote).join(".");
}

export function listName(object: Fields): string {
  const items = object?.List?.items ?? object?.TypeName?.names ?? [object];
  return items.map((item: Fields) => quote(item?.String?.sval ?? "")).join(".");
}

/** A type's name as SQL, or undefined for one with a part that is no plain number. */
export function typeText({ names = [], typmods = [], arrayBounds = [] }: Fields): string | undefined {
  const parts = typmods.map((one: Fields) => one.A_Const?.ival?.ival ?? (one.A_Const?.ival ? 0 : undefined));
  if (parts.includes(undefined)) return undefined;
  const name = names.map((one: Fields) => quote(one.String?.sval ?? "")).join(".");
  return name + (parts.length === 0 ? "" : `(${parts.join(", ")})`) + "[]".repeat(arrayBounds.length);
}

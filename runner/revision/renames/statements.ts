import type { StableId } from "@supabase/pg-delta/core";
import pg from "pg";
import type { Statement } from "../script/render.ts";

/** Kinds that `--rename` can rename, and how their statement begins. */
export const renamable: Readonly<Record<string, string>> = {
  table: "TABLE",
  view: "VIEW",
  materializedView: "MATERIALIZED VIEW",
  sequence: "SEQUENCE",
  index: "INDEX",
  type: "TYPE",
  domain: "DOMAIN",
};

/** Statements that come before all others in the up migration, and after all in the down migration. */
export interface InPlace {
  readonly up: readonly Statement[];
  readonly down: readonly Statement[];
}

/** An object with a name of its own. */
export type Named = StableId & { readonly schema: string; readonly name: string; readonly table?: string };

const quote = pg.escapeIdentifier;

/** An object that is renamed, as it is at that moment: a table may have got another place just before. */
export interface Place {
  readonly schema: string;
  readonly name: string;
  readonly table?: string;
}

/** A statement that needs no comment. */
export const statement = (sql: string): Statement => ({ sql, comments: [] });

/** The statements that give an object another name, and a relation perhaps another schema. */
export function statements(kind: string, from: Place, to: Place): Statement[] {
  if (kind === "schema") return [statement(`ALTER SCHEMA ${quote(from.name)} RENAME TO ${quote(to.name)}`)];
  if (from.table !== undefined) {
    const table = `${quote(from.schema)}.${quote(from.table)}`;
    return [statement(`ALTER TABLE ${table} RENAME COLUMN ${quote(from.name)} TO ${quote(to.name)}`)];
  }
  const object = (schema: string) => `ALTER ${renamable[kind]} ${quote(schema)}.${quote(from.name)}`;
  const moved =
    from.schema === to.schema ? [] : [statement(`${object(from.schema)} SET SCHEMA ${quote(to.schema)}`)];
  const renamed =
    from.name === to.name ? [] : [statement(`${object(to.schema)} RENAME TO ${quote(to.name)}`)];
  return [...moved, ...renamed];
}

/** The statements that give an enum's value another name and its old one back. */
export function valueStatements({ schema, name }: Place, old: string, wanted: string): InPlace {
  const rename = (from: string, to: string) =>
    statement(
      `ALTER TYPE ${quote(schema)}.${quote(name)} RENAME VALUE ${pg.escapeLiteral(from)} TO ${pg.escapeLiteral(to)}`,
    );
  return { up: [rename(old, wanted)], down: [rename(wanted, old)] };
}

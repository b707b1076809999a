import type { StableId } from "@supabase/pg-delta/core";
import { identifier, literal } from "../../postgres/sql.ts";
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
  if (kind === "schema")
    return [statement(`ALTER SCHEMA ${identifier(from.name)} RENAME TO ${identifier(to.name)}`)];
  if (from.table !== undefined) {
    const table = `${identifier(from.schema)}.${identifier(from.table)}`;
    return [
      statement(`ALTER TABLE ${table} RENAME COLUMN ${identifier(from.name)} TO ${identifier(to.name)}`),
    ];
  }
  const object = (schema: string) =>
    `ALTER ${renamable[kind]} ${identifier(schema)}.${identifier(from.name)}`;
  const moved =
    from.schema === to.schema
      ? []
      : [statement(`${object(from.schema)} SET SCHEMA ${identifier(to.schema)}`)];
  const renamed =
    from.name === to.name ? [] : [statement(`${object(to.schema)} RENAME TO ${identifier(to.name)}`)];
  return [...moved, ...renamed];
}

/** The statements that give an enum's value another name and its old one back. */
export function valueStatements({ schema, name }: Place, old: string, wanted: string): InPlace {
  const rename = (from: string, to: string) =>
    statement(
      `ALTER TYPE ${identifier(schema)}.${identifier(name)} RENAME VALUE ${literal(from)} TO ${literal(to)}`,
    );
  return { up: [rename(old, wanted)], down: [rename(wanted, old)] };
}

import type { FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { freeNames } from "./free-names.ts";
import { namedRelations } from "./name-order.ts";
import { plain } from "./plain-action.ts";
import { quoted } from "./sql-text.ts";

type Named = Extract<StableId, { schema: string; name: string }>;

/** How a table's index or key gets another name. */
function rename(id: Named, name: string): string {
  if (id.kind !== "constraint") return `ALTER INDEX ${quoted(id.schema, id.name)} RENAME TO ${quoted(name)}`;
  const { schema, table } = id as Named & { readonly table: string };
  return `ALTER TABLE ${quoted(schema, table)} RENAME CONSTRAINT ${quoted(id.name)} TO ${quoted(name)}`;
}

/** A statement that only makes room, and of which no other order depends. */
function makingRoom(id: Named, name: string): Action {
  return { ...plain, sql: rename(id, name), verb: "alter", consumes: [id] };
}

/**
 * An index or key that goes with its table, after another has taken its name, is renamed before that: such a table cannot
 * go first where something of it stays, such as its sequence. Pure.
 */
export function withNamesAside(actions: readonly Action[], from: FactBase, to: FactBase): Action[] {
  const leaving = new Map<string, Named>();
  for (const { verb, destroys, sql } of actions)
    if (verb === "drop" && sql.startsWith("DROP TABLE "))
      for (const [name, id] of namedRelations(destroys, from))
        if (id.kind === "index" || id.kind === "constraint") leaving.set(name, id as Named);
  if (leaving.size === 0) return [...actions];
  const free = freeNames(from, to);
  return actions.flatMap((action) => {
    const gone = namedRelations(action.destroys, from).map(([name]) => name);
    for (const name of gone) leaving.delete(name);
    const clashes = namedRelations(action.produces, to).flatMap(([name]) => leaving.get(name) ?? []);
    return [...clashes.map((id) => makingRoom(id, free(id.schema, id.name))), action];
  });
}

import { encodeId, type Fact, type FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { plain } from "./plain-action.ts";
import { quoted } from "./sql-text.ts";
import { parentsOf, type TableId } from "./table-columns.ts";

type TriggerId = { readonly schema: string; readonly table: string; readonly name: string };

/** How a trigger is enabled that fires for rows which come back. */
const enabling: Readonly<Record<string, string>> = { O: "ENABLE", A: "ENABLE ALWAYS" };

function triggersOf(table: TableId, facts: FactBase): Fact[] {
  const own = facts
    .childrenOf(table)
    .filter(({ id, payload }) => id.kind === "trigger" && String(payload.enabled) in enabling);
  return [...own, ...parentsOf(table, facts).flatMap((parent) => triggersOf(parent, facts))];
}

function say({ id }: Fact, verb: string): Action {
  const { schema, table, name } = id as TriggerId & Fact["id"];
  const sql = `ALTER TABLE ${quoted(schema, table)} ${verb} TRIGGER ${quoted(name)}`;
  return { ...plain, sql, verb: "alter" };
}

/** Statements around rows that come back to tables which stay: no trigger there takes them for new ones. */
export function quietTriggers(
  tables: readonly TableId[],
  from: FactBase,
  to: FactBase,
): { readonly off: Action[]; readonly on: Action[] } {
  const all = tables.flatMap((table) => triggersOf(table, from));
  const triggers = [...new Map(all.map((fact) => [encodeId(fact.id), fact])).values()];
  const same = triggers.filter(({ id }) => to.has(id) && from.hashOf(id) === to.hashOf(id));
  return {
    off: triggers.map((fact) => say(fact, "DISABLE")),
    on: same.map((fact) => say(fact, enabling[String(fact.payload.enabled)] ?? "")),
  };
}

/** True where a rule may turn an INSERT into something else. */
export function hasRules(table: TableId, facts: FactBase): boolean {
  return facts.childrenOf(table).some(({ id }) => id.kind === "rule");
}

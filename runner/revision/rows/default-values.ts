import type { FactBase } from "@supabase/pg-delta/core";
import { literal } from "../../postgres/sql.ts";
import type { ColumnId } from "../catalog/managed-view.ts";
import { namesIn } from "../script/sql-text.ts";

/** A value of each type that means nothing in particular, by the type's name without its modifier. */
const fillers: Readonly<Record<string, string>> = {
  smallint: "0",
  integer: "0",
  bigint: "0",
  numeric: "0",
  real: "0",
  "double precision": "0",
  money: "0",
  boolean: "false",
  text: "''",
  "character varying": "''",
  character: "''",
  name: "''",
  bytea: "''",
  json: "'{}'",
  jsonb: "'{}'",
  uuid: "'00000000-0000-0000-0000-000000000000'",
  date: "'epoch'",
  "timestamp without time zone": "'epoch'",
  "timestamp with time zone": "'epoch'",
  "time without time zone": "'00:00'",
  interval: "'0'",
  tsvector: "''",
  inet: "'0.0.0.0'",
};

/** True where a constraint or a unique index may refuse the same made-up value in every row. */
function isConstrained(facts: FactBase, id: ColumnId): boolean {
  const table = facts.get(id)?.parent;
  const children = table === undefined ? [] : facts.childrenOf(table);
  return children.some(({ id: { kind }, payload }) => {
    const def = String(payload.def);
    if (kind !== "constraint" && !(kind === "index" && def.startsWith("CREATE UNIQUE"))) return false;
    return namesIn(def).includes(id.name);
  });
}

/** The first value of an enum. */
function firstLabel(facts: FactBase, id: ColumnId): string | undefined {
  const types = facts.outgoingEdges(id).map(({ to }) => facts.get(to));
  const values = types.find((fact) => fact?.payload.variant === "enum")?.payload.values as
    | string[]
    | undefined;
  return values?.[0] === undefined ? undefined : literal(values[0]);
}

/** A value for all rows of a column whose own values are gone; undefined where any value might break something. */
export function fillerFor(facts: FactBase, id: ColumnId): string | undefined {
  if (isConstrained(facts, id)) return undefined;
  const type = String(facts.get(id)?.payload.type);
  if (type.endsWith("[]")) return "'{}'";
  return fillers[type.replace(/\(.*?\)/, "")] ?? firstLabel(facts, id);
}

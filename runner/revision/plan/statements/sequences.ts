import type { FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";

const creation =
  /^(?<head>CREATE SEQUENCE .*?) AS (?<type>\w+) INCREMENT BY (?<increment>\d+) MINVALUE (?<min>\d+) MAXVALUE (?<max>\d+) START WITH (?<start>\d+) CACHE (?<cache>\d+) (?<cycle>NO CYCLE|CYCLE)$/s;

const largest: Readonly<Record<string, string>> = {
  smallint: "32767",
  integer: "2147483647",
  bigint: "9223372036854775807",
};

/** A sequence as a person makes it: pg-delta says each option, also where it is as PostgreSQL has it anyway. */
export function withPlainOptions(sql: string): string {
  const { head, type = "", increment, min, max, start, cache, cycle } = sql.match(creation)?.groups ?? {};
  if (head === undefined) return sql;
  const options = [
    type === "bigint" ? "" : ` AS ${type}`,
    increment === "1" ? "" : ` INCREMENT BY ${increment}`,
    min === "1" ? "" : ` MINVALUE ${min}`,
    max === largest[type] ? "" : ` MAXVALUE ${max}`,
    start === min ? "" : ` START WITH ${start}`,
    cache === "1" ? "" : ` CACHE ${cache}`,
    cycle === "CYCLE" ? " CYCLE" : "",
  ];
  return head + options.join("");
}

/** The table whose column owns a sequence. */
function ownerOf(sequence: StableId, facts: FactBase): StableId | undefined {
  const owner = facts.get(sequence)?.payload.ownedBy as { schema: string; table: string } | null | undefined;
  return owner ? { kind: "table", schema: owner.schema, name: owner.table } : undefined;
}

/** A serial's sequence is unlogged where its table is (from PostgreSQL 15 on); pg-delta makes each a logged one. Pure. */
export function unloggedLikeItsTable(action: Action, to: FactBase): Action {
  const [sequence] = action.produces;
  if (sequence === undefined || !action.sql.startsWith("CREATE SEQUENCE ")) return action;
  const owner = ownerOf(sequence, to);
  const unlogged = owner !== undefined && to.get(owner)?.payload.persistence === "u";
  return unlogged ? { ...action, sql: action.sql.replace("CREATE", "CREATE UNLOGGED") } : action;
}

import type { Fact, FactBase, StableId } from "@supabase/pg-delta/core";
import { callsIn, volatileFunctions } from "../../statement-facts/volatile-functions.ts";
import type { ColumnId } from "../catalog/managed-view.ts";
import { isVirtual } from "../catalog/normalize.ts";

/** True for a domain that refuses values, by itself or by the domain that it is made of. */
function hasConstraints({ id, payload }: Fact, facts: FactBase): boolean {
  if (payload.notNull === true || facts.childrenOf(id).some((child) => child.id.kind === "constraint"))
    return true;
  const below = String(payload.baseType).endsWith("[]") ? undefined : domainOf(id, facts);
  return below !== undefined && hasConstraints(below, facts);
}

/** The domain that values of a column or of another domain have. */
function domainOf(id: StableId, facts: FactBase): Fact | undefined {
  const targets = facts.outgoingEdges(id).map(({ to }) => facts.get(to));
  return targets.find((fact) => fact?.id.kind === "domain");
}

const isSteady = ({ payload }: Fact) =>
  /^ (?:.* )?(?:IMMUTABLE|STABLE)\b/m.test(String(payload.def).split("\nAS ")[0] ?? "");

/** True where a value calls a volatile function. One of an extension counts as volatile: the facts do not have it. */
function callsVolatile(value: string, owner: StableId, facts: FactBase): boolean {
  const calls = callsIn(value);
  if (calls.some((name) => volatileFunctions.has(name))) return true;
  if (!calls.some((name) => name.includes("."))) return false;
  const called = facts.outgoingEdges(owner).flatMap(({ to }) => facts.get(to) ?? []);
  const functions = called.filter(({ id }) => id.kind === "function");
  return functions.length === 0 || !functions.every(isSteady);
}

/** The domain of a new column whose constraints make PostgreSQL write every row, whatever the column's default is. */
export function constrainedDomain(id: ColumnId, facts: FactBase): Fact | undefined {
  if (String(facts.get(id)?.payload.type).endsWith("[]")) return undefined;
  const domain = domainOf(id, facts);
  return domain !== undefined && hasConstraints(domain, facts) ? domain : undefined;
}

/**
 * True for a new column that makes PostgreSQL write every row: it is an identity or stored as computed, its type is a domain with a
 * constraint, or its default calls a volatile function.
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
 */
export function isWrittenToEachRow(id: ColumnId, facts: FactBase): boolean {
  const column = facts.get(id)?.payload;
  if (column === undefined) return false;
  const { identity, generatedExpr } = column;
  if (identity !== null || (typeof generatedExpr === "string" && !isVirtual(generatedExpr))) return true;
  if (constrainedDomain(id, facts) !== undefined) return true;
  const own = facts.get({ ...id, kind: "default" });
  if (own !== undefined) return callsVolatile(String(own.payload.expr), own.id, facts);
  const domain = domainOf(id, facts);
  const inherited = domain?.payload.default;
  return domain !== undefined && typeof inherited === "string" && callsVolatile(inherited, domain.id, facts);
}

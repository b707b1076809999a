import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { type ColumnId, isColumn } from "../../catalog/managed-view.ts";

/** How the properties are named that stand for a NOT NULL which is not valid, or which children do not inherit. */
const prefix = "not null constraint ";

/** True for the property of a NOT NULL that is a constraint with a say of its own. */
function isConstraint(id: StableId): boolean {
  return id.kind === "extensionIntent" && id.key.startsWith(prefix);
}

/** A schema in which such a NOT NULL is the property alone: pg-delta knows only whether a column is NOT NULL. Pure. */
export function withNotNullApart(facts: FactBase): FactBase {
  const apart = facts
    .facts()
    .flatMap(({ id, parent }) => (isConstraint(id) && parent !== undefined ? [encodeId(parent)] : []));
  if (apart.length === 0) return facts;
  const columns = new Set(apart);
  const all = facts.facts().map((fact): Fact => {
    const isOne = isColumn(fact.id) && columns.has(encodeId(fact.id));
    return isOne ? { ...fact, payload: { ...fact.payload, notNull: false } } : fact;
  });
  return buildFactBase(all, [...facts.edges], facts.source);
}

/** The statement that makes such a constraint like all others; undefined where it takes more than one. */
function settled(property: Fact): string | undefined {
  const [sql = ""] = property.payload.create as string[];
  const [, table, name, rest = ""] =
    sql.match(/^(ALTER TABLE .*) ADD CONSTRAINT (\S+|"(?:[^"]|"")*") NOT NULL (.*)$/s) ?? [];
  const [own, loose] = [rest.includes(" NO INHERIT"), rest.endsWith(" NOT VALID")];
  if (own && loose) return undefined;
  return loose ? `${table} VALIDATE CONSTRAINT ${name}` : `${table} ALTER CONSTRAINT ${name} INHERIT`;
}

const setsNotNull = (action: Action) =>
  / SET NOT NULL$/.test(action.sql) ? [...action.consumes, ...action.produces].find(isColumn) : undefined;

/** A NOT NULL that becomes valid, or one that children inherit, does so in place, not by another one. Pure. */
export function withNotNullSettled(actions: readonly Action[], from: FactBase): Action[] {
  const set = new Map(
    actions.flatMap((action): [string, Action][] => {
      const column: ColumnId | undefined = setsNotNull(action);
      return column === undefined ? [] : [[encodeId(column), action]];
    }),
  );
  const obsolete = new Set<Action>();
  const all = actions.map((action) => {
    const property = action.verb === "drop" ? action.destroys.find(isConstraint) : undefined;
    const fact = property === undefined ? undefined : from.get(property);
    const later = fact?.parent === undefined ? undefined : set.get(encodeId(fact.parent));
    const sql = fact === undefined || later === undefined ? undefined : settled(fact);
    if (later === undefined || sql === undefined) return action;
    obsolete.add(later);
    return { ...action, sql };
  });
  return all.filter((action) => !obsolete.has(action) && action.sql !== "");
}

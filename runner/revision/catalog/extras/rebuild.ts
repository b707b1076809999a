import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { type ColumnId, isColumn } from "../managed-view.ts";

/** Follows the expression of a generated column that is rebuilt, in the facts and thereby in pg-delta's statements. */
const mark = " /* again */";

function isObject({ id }: Fact): boolean {
  return id.kind === "extensionIntent" && id.ext === "pgstack" && id.intentKind === "object";
}

/** Where a fact's SQL is marked, if it is of a kind that may have to be rebuilt. */
function markedField(fact: Fact): string | undefined {
  const { id, payload } = fact;
  if (isObject(fact)) return "again";
  if (isColumn(id)) return payload.generatedExpr === null ? undefined : "generatedExpr";
  if (id.kind === "publicationRel") return payload.where == null ? undefined : "where";
  return id.kind === "trigger" || (id.kind === "constraint" && payload.type === "f") ? "def" : undefined;
}

function isMarked({ payload }: Fact, field: string): boolean {
  return payload.again !== undefined || String(payload[field]).endsWith(mark);
}

function marked(fact: Fact): Fact {
  const field = markedField(fact);
  if (field === undefined) return fact;
  const sign = field === "again" ? true : `${fact.payload[field]}${mark}`;
  return { ...fact, payload: { ...fact.payload, [field]: sign } };
}

/** What an object stands on. */
function basesOf(facts: FactBase, { id }: Fact): StableId[] {
  if (id.kind !== "publicationRel") return facts.outgoingEdges(id).map(({ to }) => to);
  const { schema, table: name } = id;
  return facts.childrenOf({ kind: "table", schema, name }).map((child) => child.id);
}

const families = [/^(smallint|integer|bigint)$/, /^(text|character varying|character)\b(?!.*\[\])/];

/** True where a key of one type may refer to one of the other, as they do while both are changed. */
function comparable(one: string, other: string): boolean {
  return families.some((family) => family.test(one) && family.test(other));
}

/** The columns whose type a plan changes, and those among them that no foreign key outlives. */
function retypedBy(actions: readonly Action[], from: FactBase, to: FactBase): [Set<string>, Set<string>] {
  const columns = actions
    .filter(({ sql }) => / ALTER COLUMN .* TYPE /s.test(sql))
    .flatMap(({ consumes }) => consumes.filter(isColumn));
  const typeOf = (facts: FactBase, id: ColumnId) => String(facts.get(id)?.payload.type);
  const apart = columns.filter((id) => !comparable(typeOf(from, id), typeOf(to, id)));
  return [new Set(columns.map(encodeId)), new Set(apart.map(encodeId))];
}

/**
 * Marks the objects that must be rebuilt because a function, type or column below them is, or gets
 * another type: pg-delta does that by itself for the kinds it knows, but for generated columns, triggers, filters of
 * publications and foreign keys. Returns `to` itself where there are none.
 */
export function withExtrasRebuilt(from: FactBase, to: FactBase, actions: readonly Action[]): FactBase {
  const gone = new Set(actions.flatMap(({ destroys }) => destroys.map(encodeId)));
  const [retyped, apart] = retypedBy(actions, from, to);
  const under = ({ id }: Fact) => {
    if (isColumn(id)) return gone.union(retyped);
    return id.kind === "extensionIntent" ? gone : id.kind === "constraint" ? apart : retyped;
  };
  const shaken = to.facts().filter((fact) => {
    const field = markedField(fact);
    if (field === undefined || isMarked(fact, field) || gone.has(encodeId(fact.id))) return false;
    const present = from.get(fact.id);
    const below = under(fact);
    return present !== undefined && basesOf(from, present).some((id) => below.has(encodeId(id)));
  });
  if (shaken.length === 0) return to;
  const all = new Set(shaken);
  const facts = to.facts().map((fact) => (all.has(fact) ? marked(fact) : fact));
  return buildFactBase(facts, [...to.edges], to.source);
}

/** A statement of pg-delta's without the mark of what is rebuilt. Pure. */
export function withoutMark(sql: string): string {
  return sql.replaceAll(mark, "");
}

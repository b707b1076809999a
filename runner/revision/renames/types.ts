import type { Fact, FactBase, StableId } from "@supabase/pg-delta/core";
import { identifier } from "../../postgres/sql.ts";
import { freeNames } from "../plan/order/name-conflicts.ts";
import type { Statement } from "../script/render.ts";
import type { InPlace } from "./statements.ts";

type TypeId = Extract<StableId, { schema: string; name: string }> & {
  readonly kind: "type" | "domain" | "collation";
};
type TypeFact = Fact & { readonly id: TypeId };

const keywords: Readonly<Record<string, string>> = { type: "TYPE", domain: "DOMAIN", collation: "COLLATION" };

const isType = (fact: Fact): fact is TypeFact => fact.id.kind in keywords;

/** True where an enum loses values or their order: pg-delta creates it again then, and only adds values else. */
export function losesValues(before: Fact, after: Fact): boolean {
  const [old, wanted] = [before, after].map(({ payload }) => (payload.values ?? []) as string[]);
  const kept = wanted?.filter((value) => old?.includes(value));
  return JSON.stringify(kept) !== JSON.stringify(old);
}

/** True where an attribute of a composite type gets another type; those that come and go can do so while it is in use. */
function attributesChange(from: FactBase, to: FactBase, { id }: TypeFact): boolean {
  return from.childrenOf(id).some((child) => {
    const other = to.get(child.id);
    return (
      child.id.kind === "typeAttribute" &&
      other !== undefined &&
      (other.payload.type !== child.payload.type || other.payload.collation !== child.payload.collation)
    );
  });
}

const usesOf = (facts: FactBase, id: StableId) => facts.incomingEdges(id).map(({ from }) => from);

/** True where a table stores values that have a type within them: in arrays, composite types or ranges. */
function isStoredWithin(facts: FactBase, id: StableId, within = false): boolean {
  return usesOf(facts, id).some((user) => {
    const fact = facts.get(user);
    if (user.kind === "column") return within || String(fact?.payload.type).endsWith("[]");
    return fact !== undefined && isType(fact) && isStoredWithin(facts, user, within || user.kind === "type");
  });
}

/** The CHECK constraints of a domain that its values are checked against. */
const checksOf = (facts: FactBase, { id }: TypeFact) =>
  facts
    .childrenOf(id)
    .flatMap((child) =>
      child.id.kind === "constraint" && child.payload.validated !== false ? facts.hashOf(child.id) : [],
    );

/** True where a domain's values must be checked, which PostgreSQL refuses while a table stores them within others. */
function isTightened(from: FactBase, to: FactBase, before: TypeFact, after: TypeFact): boolean {
  const checks = new Set(checksOf(from, before));
  const more =
    (before.payload.notNull !== true && after.payload.notNull === true) ||
    checksOf(to, after).some((check) => !checks.has(check));
  return more && isStoredWithin(from, before.id) && isStoredWithin(to, after.id);
}

/** True where pg-delta cannot change a type under what uses it. */
function isStuck(from: FactBase, to: FactBase, before: TypeFact, after: TypeFact): boolean {
  const users = [...usesOf(from, before.id), ...usesOf(to, after.id)].map(({ kind }) => kind);
  const [old, wanted] = [before.payload, after.payload];
  if (before.id.kind === "collation")
    return users.length > 0 && from.hashOf(before.id) !== to.hashOf(after.id);
  if (before.id.kind === "domain") {
    if (isTightened(from, to, before, after) || isTightened(to, from, after, before)) return true;
    return users.length > 0 && (old.baseType !== wanted.baseType || old.collation !== wanted.collation);
  }
  if (old.variant !== wanted.variant) return false;
  if (old.variant === "enum")
    return losesValues(before, after) && users.some((kind) => kind === "type" || kind === "domain");
  const nested = users.some((kind) => kind === "column" || kind === "type" || kind === "domain");
  return old.variant === "composite" && nested && attributesChange(from, to, before);
}

/** The types that must be created beside the old ones, and the types that are made of them. */
function rebuiltTypes(from: FactBase, to: FactBase): TypeFact[] {
  const both = from.facts().filter((fact): fact is TypeFact => isType(fact) && to.has(fact.id));
  const found = new Set(both.filter((fact) => isStuck(from, to, fact, to.get(fact.id) as TypeFact)));
  for (const fact of found)
    for (const user of usesOf(from, fact.id)) {
      const other = from.get(user);
      if (other !== undefined && isType(other) && other.payload.variant !== "range" && to.has(other.id))
        found.add(other);
    }
  return [...found];
}

function statement({ schema }: TypeId, kind: string, before: string, after: string): Statement {
  const sql = `ALTER ${kind} ${identifier(schema)}.${identifier(before)} RENAME TO ${identifier(after)}`;
  return { sql, comments: [] };
}

/**
 * Moves types aside that PostgreSQL cannot alter while they are in use (a domain's base type, the type of a composite's
 * attribute, an enum's values under other types): what uses them changes to the new type of that name then, like any
 * column that gets another type. A range type's constructors would keep their names: it is rebuilt with its tables. Pure.
 */
export function typesMovedAside(from: FactBase, to: FactBase): InPlace {
  const free = freeNames(from, to);
  const moves = rebuiltTypes(from, to).map(({ id }) => ({
    id,
    kind: keywords[id.kind] ?? "",
    aside: free(id.schema, id.name),
  }));
  return {
    up: moves.map(({ kind, id, aside }) => statement(id, kind, id.name, aside)),
    down: moves.map(({ kind, id, aside }) => statement(id, kind, aside, id.name)).reverse(),
  };
}

import {
  buildFactBase,
  type DependencyEdge,
  encodeId,
  type Fact,
  type FactBase,
  type StableId,
} from "@supabase/pg-delta/core";
import { fits } from "../../util/glob.ts";
import { isViewGrant } from "./extras/properties.ts";

/** The schema that holds this program's own bookkeeping. */
const ownSchema = "pgstack";

/** Kinds that belong to the server or to the stack's roles, never to a migration. */
const foreignKinds = new Set(["role", "membership", "defaultPrivilege", "subscription", "userMapping"]);

/** A column of a table. */
export type ColumnId = Extract<StableId, { table: string; name: string }> & { readonly kind: "column" };

/** Tells a column from all other objects. */
export function isColumn(id: StableId): id is ColumnId {
  return id.kind === "column";
}

/** The schema, table and name of an object as one dotted path, as `--ignore` sees it. */
export function pathOf(id: StableId): string {
  if (id.kind === "extensionIntent") return id.key.split(" ").at(-1) ?? id.key;
  const { schema, table, type, name } = id as Partial<Record<"schema" | "table" | "type" | "name", string>>;
  return [schema, table ?? type, name].filter((part) => part !== undefined).join(".");
}

/** `audit.*` means the schema too: it cannot go without what is in it. */
function isWholeSchema(pattern: string, id: StableId): boolean {
  return id.kind === "schema" && fits(pattern, `${id.name}.*`);
}

function isOwn(id: StableId): boolean {
  return id.kind === "schema" ? id.name === ownSchema : "schema" in id && id.schema === ownSchema;
}

/** A grant that the owner holds anyway, or on a schema (those are the stack's). */
function isImpliedGrant(facts: FactBase, { id }: Fact): boolean {
  if (id.kind !== "acl") return false;
  const owned = facts.outgoingEdges(id.target).some(({ kind, to }) => {
    return kind === "owner" && to.kind === "role" && to.name === id.grantee;
  });
  return owned || id.target.kind === "schema";
}

function keep(facts: FactBase, kept: readonly Fact[]): FactBase {
  const names = new Set(kept.map(({ id }) => encodeId(id)));
  const inside = ({ from, to }: DependencyEdge) => names.has(encodeId(from)) && names.has(encodeId(to));
  return buildFactBase([...kept], facts.edges.filter(inside), facts.source);
}

/**
 * The facts that a migration may touch: all but roles, ownership, default privileges and grants on schemas (they are
 * the stack's), this program's own schema, and what `ignore` names, each with what hangs on it.
 */
export function managedFacts(facts: FactBase, ignore: readonly string[]): Fact[] {
  const verdicts = new Map<Fact, boolean>();
  const leftOut = (fact: Fact): boolean => {
    const known = verdicts.get(fact);
    if (known !== undefined) return known;
    const parent = fact.parent === undefined ? undefined : facts.get(fact.parent);
    const verdict =
      foreignKinds.has(fact.id.kind) ||
      isOwn(fact.id) ||
      isImpliedGrant(facts, fact) ||
      ignore.some((pattern) => fits(pattern, pathOf(fact.id)) || isWholeSchema(pattern, fact.id)) ||
      (parent !== undefined && leftOut(parent));
    verdicts.set(fact, verdict);
    return verdict;
  };
  return facts.facts().filter((fact) => !leftOut(fact));
}

/** A schema as a migration may touch it. */
export function managedView(facts: FactBase, ignore: readonly string[]): FactBase {
  return keep(facts, managedFacts(facts, ignore));
}

const routineKinds: ReadonlySet<string> = new Set(["function", "procedure", "aggregate"]);

/**
 * EXECUTE for PUBLIC, which PostgreSQL gives to a new routine unasked and the stack takes away again: where the
 * database has lost it, the models do not mean to bring it back.
 */
function withoutLostDefault(fact: Fact, live: FactBase): Fact {
  const { id } = fact;
  if (id.kind !== "acl" || id.grantee !== "PUBLIC" || !routineKinds.has(id.target.kind)) return fact;
  const held = live.get(id);
  return Array.isArray(held?.payload.privileges) && held.payload.privileges.length === 0 ? held : fact;
}

/**
 * The models, with the grants that only the database has: those may be the stack's own, and an object that is
 * rebuilt must get them back. Else PUBLIC is the models' business.
 *
 * @param without a privilege without what the models revoke; undefined where nothing is left of it
 */
export function withGrantsOf(
  models: FactBase,
  live: FactBase,
  without: (grant: Fact) => Fact | undefined,
): FactBase {
  const ofLive = live.facts().filter(({ id, parent }) => {
    if (models.has(id)) return false;
    if (isViewGrant(id)) return parent !== undefined && models.has(parent);
    if (id.kind !== "acl" || id.grantee === "PUBLIC") return false;
    return models.has(id.target) && parent !== undefined && models.has(parent);
  });
  const carried = ofLive.flatMap((grant) => without(grant) ?? []);
  const all = models.facts();
  const meant = all.map((fact) => withoutLostDefault(fact, live));
  if (carried.length === 0 && meant.every((fact, index) => fact === all[index])) return models;
  return buildFactBase([...meant, ...carried], [...models.edges], models.source);
}

/** A schema as a script can make it: what a failed build left invalid is not made invalid again. */
export function withValidIndexes(facts: FactBase): FactBase {
  if (!facts.facts().some(({ id, payload }) => id.kind === "index" && payload.valid === false)) return facts;
  const valid = facts.facts().map((fact): Fact => {
    const broken = fact.id.kind === "index" && fact.payload.valid === false;
    return broken ? { ...fact, payload: { ...fact.payload, valid: true } } : fact;
  });
  return buildFactBase(valid, [...facts.edges], facts.source);
}

/** A table's id. */
export type TableId = Extract<StableId, { schema: string; name: string }> & { readonly kind: "table" };

/** Tells a table from all other objects. */
export function isTable(id: StableId): id is TableId {
  return id.kind === "table";
}

/** A column as the table that declares it has it. */
export type ColumnFact = Fact & { readonly id: ColumnId };

/** The tables that a table is below at once: a partition's one parent, or all that it inherits from. */
export function parentsOf(table: StableId, facts: FactBase): TableId[] {
  return facts.outgoingEdges(table).flatMap(({ to }) => (isTable(to) ? [to] : []));
}

/** The columns that a table declares itself, in their order. */
export function ownColumns(table: StableId, facts: FactBase): ColumnFact[] {
  const columns = facts.childrenOf(table).filter((fact): fact is ColumnFact => isColumn(fact.id));
  return columns.sort((one, other) => Number(one.payload._position) - Number(other.payload._position));
}

/** A table's columns by name, those that it inherits too. */
export function allColumns(table: StableId, facts: FactBase): Map<string, ColumnFact> {
  const inherited = parentsOf(table, facts).flatMap((parent) => [...allColumns(parent, facts)]);
  return new Map([
    ...inherited,
    ...ownColumns(table, facts).map((fact): [string, ColumnFact] => [fact.id.name, fact]),
  ]);
}

/** A table and all tables below it. */
export function withTablesBelow(table: TableId, facts: FactBase): TableId[] {
  const below = facts.incomingEdges(table).flatMap(({ from }) => (isTable(from) ? [from] : []));
  const unique = new Map(below.map((id) => [encodeId(id), id]));
  return [table, ...[...unique.values()].flatMap((id) => withTablesBelow(id, facts))];
}

import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import {
  allColumns,
  isColumn,
  isTable,
  ownColumns,
  parentsOf,
  withTablesBelow,
} from "../../catalog/managed-view.ts";
import { isRewritten, usesRewrittenRows } from "../../rows/row-types.ts";
import { namesIn } from "../../script/sql-text.ts";

/** Facts by their encoded ids. */
type Facts = Map<string, Fact>;

/** Foreign keys to the partitioned tables above a partition: they hold on to it too. */
function keysThrough(partition: Fact, facts: FactBase): StableId[] {
  if (partition.payload.partitionBound == null) return [];
  return parentsOf(partition.id, facts).flatMap((parent) => {
    const above = facts.get(parent);
    const users = facts
      .childrenOf(parent)
      .flatMap(({ id }) => facts.incomingEdges(id).map(({ from }) => from));
    const keys = users.filter((id) => facts.get(id)?.payload.type === "f" && id.kind === "constraint");
    return above === undefined ? keys : [...keys, ...keysThrough(above, facts)];
  });
}

/** What a publication says of a table: the publication itself stays, since its slots would not outlive it. */
function membersOf(facts: FactBase, publication: Fact, { id: table }: Fact): Fact[] {
  return facts
    .childrenOf(publication.id)
    .filter(
      ({ id }) =>
        id.kind === "publicationRel" &&
        isTable(table) &&
        id.schema === table.schema &&
        id.table === table.name,
    );
}

/** A fact, all that it consists of, and all that stands on any of that: of a column, its whole table. */
function collect(facts: FactBase, fact: Fact, found: Facts): void {
  const key = encodeId(fact.id);
  if (found.has(key)) return;
  found.set(key, fact);
  for (const child of facts.childrenOf(fact.id)) collect(facts, child, found);
  const table = isColumn(fact.id) && fact.payload.generatedExpr === null ? fact.parent : undefined;
  const users = [
    ...facts.incomingEdges(fact.id).map(({ from }) => from),
    ...(table === undefined ? [] : [table]),
    ...keysThrough(fact, facts),
  ];
  for (const id of users) {
    const user = facts.get(id);
    if (user === undefined) continue;
    for (const one of user.id.kind === "publication" ? membersOf(facts, user, fact) : [user])
      collect(facts, one, found);
  }
}

/** Partitions that get another bound while foreign keys refer to their rows: these cannot leave, not even for a moment. */
export function heldByKeys(from: FactBase, to: FactBase): Fact[] {
  return from.facts().filter((fact) => {
    const [before, after] = [fact.payload.partitionBound, to.get(fact.id)?.payload.partitionBound];
    return before != null && after != null && before !== after && keysThrough(fact, from).length > 0;
  });
}

/** True for a sequence that goes with its column. */
function isOwnedBy({ id, payload }: Fact, gone: ReadonlyMap<string, Fact>): boolean {
  const owner = payload.ownedBy as { schema: string; table: string; column: string } | null | undefined;
  if (id.kind !== "sequence" || owner == null) return false;
  const { schema, table, column: name } = owner;
  return gone.has(encodeId({ kind: "column", schema, table, name }));
}

/** All that goes with some facts and comes back with them. */
export function standingOn(roots: readonly Fact[], from: FactBase): Facts {
  const gone: Facts = new Map();
  for (const fact of roots) collect(from, fact, gone);
  if (gone.size > 0) for (const fact of from.facts()) if (isOwnedBy(fact, gone)) collect(from, fact, gone);
  return gone;
}

/** A start without what must be rebuilt, and all that went. */
export interface Remains {
  readonly facts: FactBase;
  readonly gone: ReadonlyMap<string, Fact>;
}

function without(facts: FactBase, gone: ReadonlyMap<string, Fact>): Remains {
  if (gone.size === 0) return { facts, gone };
  const kept = facts.facts().filter(({ id }) => !gone.has(encodeId(id)));
  const edges = facts.edges.filter((edge) => !gone.has(encodeId(edge.from)) && !gone.has(encodeId(edge.to)));
  return { facts: buildFactBase(kept, edges, facts.source), gone };
}

/**
 * A start without what must be rebuilt (a table that becomes partitioned, say), and without what stands on
 * it: pg-delta rebuilds such a table under views, sequences and keys that are in the way. Pure.
 * @returns the start itself where there is nothing of that
 */
export function withoutRebuilt(from: FactBase, to: FactBase): Remains {
  return without(from, standingOn(mustBeRebuilt(from, to), from));
}

/** What can only be made when all else is done: tables with columns of a row type that changes, and what stands on them. */
export function withoutLast(from: FactBase, to: FactBase): Remains {
  const tables = from.facts().filter(({ id }) => isTable(id) && usesRewrittenRows(id, from, to));
  return without(
    to,
    standingOn(
      tables.flatMap(({ id }) => to.get(id) ?? []),
      to,
    ),
  );
}

/** What PostgreSQL cannot alter in a table. */
const placeOf = ({ payload }: Fact) =>
  JSON.stringify([payload.partitionKey, payload.partitionBound, payload.parentTable]);

/** The parents that a child has besides its first. */
function furtherParents({ id }: Fact, facts: FactBase): string {
  const properties = facts.childrenOf(id).flatMap((child) => {
    return child.id.kind === "extensionIntent" && child.id.key.startsWith("inheritance of ")
      ? child.id.key
      : [];
  });
  return JSON.stringify(properties.sort());
}

/** True where a child declares a column itself on one side, and has it from a parent alone on the other. */
function declaresOthers(before: Fact, from: FactBase, to: FactBase): boolean {
  const onlyInherited = (one: FactBase, other: FactBase) => {
    const own = new Set(ownColumns(before.id, one).map(({ id }) => id.name));
    const all = allColumns(before.id, one);
    return ownColumns(before.id, other).some(({ id }) => !own.has(id.name) && all.has(id.name));
  };
  return onlyInherited(from, to) || onlyInherited(to, from);
}

/** True where a column gets another type that a table is partitioned by. */
function hasOtherKeyType(before: Fact, from: FactBase, to: FactBase): boolean {
  const { partitionKey } = before.payload;
  if (typeof partitionKey !== "string") return false;
  const after = allColumns(before.id, to);
  const names = new Set(namesIn(partitionKey));
  return [...allColumns(before.id, from)].some(([name, column]) => {
    const other = after.get(name);
    return names.has(name) && other !== undefined && isRewritten(column, other, from, to);
  });
}

/** The topmost partitioned table above a partition; the table itself where it is none. */
function rootOf(table: Fact, facts: FactBase): Fact {
  const parent = table.payload.partitionBound === null ? undefined : parentsOf(table.id, facts)[0];
  const above = parent === undefined ? undefined : facts.get(parent);
  return above === undefined ? table : rootOf(above, facts);
}

/** Routines that PostgreSQL has bound to columns which get another type: they must go before. */
function boundRoutines(from: FactBase, to: FactBase): Fact[] {
  const bound = from.edges.filter((edge) => {
    if (!(edge.from.kind === "function" || edge.from.kind === "procedure") || !isColumn(edge.to))
      return false;
    const [before, after] = [from.get(edge.to), to.get(edge.to)];
    return after !== undefined && before?.payload.type !== after.payload.type;
  });
  return bound.flatMap((edge) => from.get(edge.from) ?? []);
}

const readers = new Set(["view", "materializedView", "rule", "policy", "trigger"]);

/**
 * What reads a column of a partition, or of a table that inherits, where the column gets another type by its parent: pg-delta
 * knows only what reads the parent's.
 */
function readersBelow(from: FactBase, to: FactBase): Fact[] {
  return from.facts().flatMap(({ id: table }) => {
    const below = isTable(table) && to.has(table) ? withTablesBelow(table, from).slice(1) : [];
    if (below.length === 0) return [];
    const after = allColumns(table, to);
    const names = ownColumns(table, from).flatMap((column) => {
      const other = after.get(column.id.name);
      return other !== undefined && isRewritten(column, other, from, to) ? [column.id.name] : [];
    });
    if (names.length === 0) return [];
    const ids = below.flatMap((child) => [
      ...from.childrenOf(child).map(({ id }) => id),
      ...from.incomingEdges(child).map((edge) => edge.from),
    ]);
    const found = ids.flatMap((id) => (readers.has(id.kind) ? (from.get(id) ?? []) : []));
    return found.filter(({ payload }) => names.some((name) => JSON.stringify(payload).includes(name)));
  });
}

/** A range type's constructors keep their names when it is renamed: it cannot be moved aside as other types are. */
function isOtherRange(before: Fact, after: Fact, from: FactBase, to: FactBase): boolean {
  return before.payload.variant === "range" && from.hashOf(before.id) !== to.hashOf(after.id);
}

/** Tables and range types that change while what stands on them is in the way, whatever their place below others is. */
export function stuckInPlace(from: FactBase, to: FactBase): Fact[] {
  return from.facts().flatMap((fact) => {
    const after = to.get(fact.id);
    if (after === undefined) return [];
    if (fact.id.kind === "type") return isOtherRange(fact, after, from, to) ? [fact] : [];
    if (!isTable(fact.id)) return [];
    if (hasOtherKeyType(fact, from, to)) return [rootOf(fact, from)];
    return usesRewrittenRows(fact.id, from, to) ? [fact] : [];
  });
}

/** All that must be rebuilt, with what stands on it. */
export function mustBeRebuilt(from: FactBase, to: FactBase): Fact[] {
  const misplaced = from.facts().filter((fact) => {
    const after = isTable(fact.id) ? to.get(fact.id) : undefined;
    if (after === undefined) return false;
    const moved =
      placeOf(fact) !== placeOf(after) || furtherParents(fact, from) !== furtherParents(after, to);
    return moved || declaresOthers(fact, from, to);
  });
  return [...misplaced, ...stuckInPlace(from, to), ...boundRoutines(from, to), ...readersBelow(from, to)];
}

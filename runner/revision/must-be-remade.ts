import type { Fact, FactBase } from "@supabase/pg-delta/core";
import { isColumn } from "./managed-view.ts";
import { isRewritten, usesRewrittenRows } from "./row-types.ts";
import { namesIn } from "./sql-text.ts";
import { allColumns, isTable, ownColumns, parentsOf } from "./table-columns.ts";

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

/** All that must be dropped and made again, with what stands on it. */
export function mustBeRemade(from: FactBase, to: FactBase): Fact[] {
  const misplaced = from.facts().filter((fact) => {
    const after = isTable(fact.id) ? to.get(fact.id) : undefined;
    if (after === undefined) return false;
    const moved =
      placeOf(fact) !== placeOf(after) || furtherParents(fact, from) !== furtherParents(after, to);
    return moved || declaresOthers(fact, from, to);
  });
  return [...misplaced, ...stuckInPlace(from, to), ...boundRoutines(from, to)];
}

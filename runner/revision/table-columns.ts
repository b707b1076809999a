import { encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import { type ColumnId, isColumn } from "./managed-view.ts";

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

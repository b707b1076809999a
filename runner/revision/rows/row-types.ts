import { encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import { allColumns, type ColumnFact, isColumn, isTable, ownColumns } from "../catalog/managed-view.ts";
import { losesValues } from "../renames/types.ts";

const isOfValues = ({ kind }: StableId) => kind === "type" || kind === "domain" || kind === "table";

/** The types that a column's values are made of, however deep: types, domains, and tables whose rows they are. */
export function typesBelow(id: StableId, facts: FactBase): Fact[] {
  const found = new Map<string, Fact>();
  const visit = (one: StableId) => {
    for (const { to } of facts.outgoingEdges(one)) {
      const fact = facts.get(to);
      if (fact === undefined || !isOfValues(to) || found.has(encodeId(to))) continue;
      found.set(encodeId(to), fact);
      visit(to);
      if (isTable(to)) for (const column of ownColumns(to, facts)) visit(column.id);
    }
  };
  visit(id);
  return [...found.values()];
}

/** True where the rows that a table holds are rewritten for a column, which is new or gets another type. */
export function isRewritten(
  before: ColumnFact | undefined,
  after: ColumnFact,
  from: FactBase,
  to: FactBase,
): boolean {
  const { payload } = after;
  if (before === undefined) {
    const hasDefault = to.has({ ...after.id, kind: "default" });
    const ofDomain = to.outgoingEdges(after.id).some((edge) => edge.to.kind === "domain");
    return hasDefault || ofDomain || payload.identity !== null || payload.generatedExpr !== null;
  }
  const same = (["type", "collation", "generatedExpr"] as const).every(
    (name) => before.payload[name] === payload[name],
  );
  return (
    !same ||
    from.outgoingEdges(before.id).some((edge) => {
      const [old, wanted] = [from.get(edge.to), to.get(edge.to)];
      return (
        old?.payload.variant === "enum" && wanted?.payload.variant === "enum" && losesValues(old, wanted)
      );
    })
  );
}

/** True for a table whose rows are rewritten: PostgreSQL refuses that while another table uses its row type. */
export function rowsAreRewritten(table: Fact, from: FactBase, to: FactBase): boolean {
  const after = to.get(table.id);
  if (after === undefined) return false;
  if (after.payload.persistence !== table.payload.persistence) return true;
  const before = allColumns(table.id, from);
  return [...allColumns(table.id, to)].some(([name, column]) =>
    isRewritten(before.get(name), column, from, to),
  );
}

/** True for a table that has columns of another table's row type, where that one's rows must be rewritten. */
export function usesRewrittenRows(table: StableId, from: FactBase, to: FactBase): boolean {
  return from
    .childrenOf(table)
    .some(
      ({ id }) =>
        isColumn(id) &&
        typesBelow(id, from).some((type) => isTable(type.id) && rowsAreRewritten(type, from, to)),
    );
}

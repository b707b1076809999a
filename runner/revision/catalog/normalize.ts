import {
  buildFactBase,
  type DependencyEdge,
  encodeId,
  type Fact,
  type FactBase,
  type StableId,
} from "@supabase/pg-delta/core";
import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { canonicalSql } from "../../scratch/schema-dump.ts";
import type { ColumnId } from "./managed-view.ts";

function canonicalFact(fact: Fact): Fact {
  const changed = Object.entries(fact.payload).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string" && canonicalSql(entry[1]) !== entry[1],
  );
  if (changed.length === 0) return fact;
  const payload = Object.fromEntries(changed.map(([name, value]) => [name, canonicalSql(value)]));
  return { ...fact, payload: { ...fact.payload, ...payload } };
}

/** NOT NULL of a domain, which from PostgreSQL 17 on is a constraint besides: the domain itself says it already. */
function isDomainsNotNull({ id, parent, payload }: Fact): boolean {
  return id.kind === "constraint" && parent?.kind === "domain" && payload.def === "NOT NULL";
}

/** A schema whose definitions are in the form that stays, each said once. Pure. */
export function canonical(facts: FactBase): FactBase {
  const before = facts.facts();
  const twice = new Set(before.filter(isDomainsNotNull).map(({ id }) => encodeId(id)));
  const once = ({ id, parent }: Fact) =>
    twice.size === 0 || !(twice.has(encodeId(id)) || (parent !== undefined && twice.has(encodeId(parent))));
  const after = before.filter(once).map(canonicalFact);
  if (after.length === before.length && after.every((fact, index) => fact === before[index])) return facts;
  const edges = facts.edges.filter(
    ({ from, to }) => twice.size === 0 || !(twice.has(encodeId(from)) || twice.has(encodeId(to))),
  );
  return buildFactBase(after, edges, facts.source);
}

/** The version from which on a generated column need not be stored. */
const since = 180_000;

/** Follows the expression of a virtual column, in the facts and thereby in pg-delta's statements. */
const mark = " /* virtual */";

/** The generated columns that are computed when they are read. pg-delta takes all for stored ones. */
export async function readVirtualColumns(client: pg.Client, version: number): Promise<ColumnId[]> {
  if (version < since) return [];
  const rows = await rowsOf<Omit<ColumnId, "kind">>(
    client,
    `
    SELECT n.nspname AS schema, c.relname AS table, a.attname AS name
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attrelid >= 16384 AND a.attgenerated = 'v'`,
  );
  return rows.map((row) => ({ kind: "column", ...row }));
}

/** A schema whose virtual columns are marked. Pure. */
export function withVirtualColumns(facts: FactBase, columns: readonly ColumnId[]): FactBase {
  if (columns.length === 0) return facts;
  const virtual = new Set(columns.map((id) => encodeId(id)));
  const marked = facts.facts().map((fact) => {
    const { generatedExpr } = fact.payload;
    if (!virtual.has(encodeId(fact.id)) || typeof generatedExpr !== "string") return fact;
    return { ...fact, payload: { ...fact.payload, generatedExpr: `${generatedExpr}${mark}` } };
  });
  return buildFactBase(marked, [...facts.edges], facts.source);
}

/** Tells the expression of a marked column. */
export function isVirtual(expression: string): boolean {
  return expression.endsWith(mark);
}

/** A statement of pg-delta's that makes a marked column virtual. Pure. */
export function makingVirtual(sql: string): string {
  return sql.replaceAll(`${mark}) STORED`, ") VIRTUAL");
}

/** Follows the definition of an index that a partitioned table has without its partitions. */
const onlyMark = " /* only */";

/** The indexes of partitioned tables that not all partitions have: they were created ON ONLY, and are not valid. */
export async function readOnlyIndexes(
  client: pg.Client,
  present: ReadonlySet<string>,
): Promise<readonly StableId[]> {
  if (!present.has("onlyIndex")) return [];
  return rowsOf<Extract<StableId, { kind: "index" }>>(
    client,
    `SELECT 'index' AS kind, n.nspname AS schema, c.relname AS name
     FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'I' AND NOT i.indisvalid`,
  );
}

/** A schema in which these indexes are marked: their definition is the same as one of all partitions. Pure. */
export function withOnlyIndexes(facts: FactBase, indexes: readonly StableId[]): FactBase {
  if (indexes.length === 0) return facts;
  const only = new Set(indexes.map((id) => encodeId(id)));
  const marked = facts.facts().map((fact) => {
    if (!only.has(encodeId(fact.id))) return fact;
    return { ...fact, payload: { ...fact.payload, def: `${fact.payload.def}${onlyMark}`, valid: true } };
  });
  return buildFactBase(marked, [...facts.edges], facts.source);
}

/**
 * A statement of pg-delta's that creates an index: of a partitioned table alone where it is marked, else of its partitions
 * too. Pure.
 */
export function onPartitionsToo(sql: string): string {
  if (!/^CREATE (?:UNIQUE )?INDEX /.test(sql)) return sql;
  if (sql.endsWith(onlyMark)) return sql.slice(0, -onlyMark.length);
  return sql.replace(/^(CREATE (?:UNIQUE )?INDEX .*?) ON ONLY /s, "$1 ON ");
}

const keyDefinition =
  /^(?:PRIMARY KEY|UNIQUE|CREATE UNIQUE INDEX .* USING btree) \(([^()]*)\)(?: INCLUDE \([^()]*\))?$/s;

/** The table and columns that a key or unique index keeps apart; undefined for anything else. */
function keptApart({ id, parent, payload }: Fact): string | undefined {
  if ((id.kind !== "constraint" && id.kind !== "index") || parent === undefined) return undefined;
  const columns = String(payload.def).match(keyDefinition)?.[1];
  return columns === undefined ? undefined : `${encodeId(parent)} ${columns.split(", ").sort().join(", ")}`;
}

/**
 * A schema in which a foreign key stands on all keys of the columns that it refers to: PostgreSQL chooses one of them by
 * the order in which they were made, which may be another one in a copy. Pure.
 */
export function onAllEqualKeys(facts: FactBase): FactBase {
  const keys = Map.groupBy(
    facts.facts().filter((fact) => keptApart(fact) !== undefined),
    keptApart,
  );
  const further = [...keys.values()].flatMap((equal) => {
    if (equal.length === 1) return [];
    const users = equal.flatMap(({ id }) => facts.incomingEdges(id));
    const foreign = users.filter(({ from }) => facts.get(from)?.payload.type === "f");
    return foreign.flatMap((edge) => equal.map(({ id }): DependencyEdge => ({ ...edge, to: id })));
  });
  if (further.length === 0) return facts;
  const known = new Map(
    [...facts.edges, ...further].map((edge) => [
      `${edge.kind} ${encodeId(edge.from)} ${encodeId(edge.to)}`,
      edge,
    ]),
  );
  return buildFactBase(facts.facts(), [...known.values()], facts.source);
}

import type { DependencyEdge, Fact, FactBase, StableId } from "@supabase/pg-delta/core";
import type { extract } from "@supabase/pg-delta/extract";
import type { PlanOptions } from "@supabase/pg-delta/plan";
import { identifier, literal } from "../../../postgres/sql.ts";
import { dependenciesQuery, inheritedColumnUsesQuery, multirangeUsesQuery } from "./dependencies.ts";
import { objectsQuery } from "./objects.ts";
import { propertiesQuery } from "./properties.ts";

type Handler = NonNullable<NonNullable<Parameters<typeof extract>[1]>["handlers"]>[number];
type Rules = NonNullable<PlanOptions["intentRules"]> extends ReadonlyMap<string, infer R> ? R : never;
type ExtraId = Extract<StableId, { kind: "extensionIntent" }>;
type Row = Readonly<Record<string, unknown>>;

/** pg-delta's one kind for what it does not know itself; `intentKind` tells ours apart. */
function idOf(intentKind: "object" | "property", key: unknown): ExtraId {
  return { kind: "extensionIntent", ext: "pgstack", intentKind, key: String(key) };
}

function parentOf(row: Row, current: FactBase): { parent?: StableId } {
  const parent = row.parent as StableId | null;
  return parent !== null && current.has(parent) ? { parent } : {};
}

/** How COMMENT ON and ALTER … OWNER TO name an object with this key. */
function spelled(key: string): string {
  return key.replace(/^(?:operator (?:class|family)|text search \w+|access method|\w+)/, (kind) =>
    kind.toUpperCase(),
  );
}

/** ALTER … OWNER TO for an object that pg-delta does not know itself; undefined for all others. */
export function setExtraOwner(id: StableId, role: string): string | undefined {
  if (id.kind !== "extensionIntent" || id.intentKind !== "object") return undefined;
  return `ALTER ${spelled(id.key)} OWNER TO ${identifier(role)}`;
}

function objectFact(row: Row, current: FactBase): Fact {
  const payload = { create: row.create as string[], _drop: String(row.drop) };
  return { id: idOf("object", row.key), payload, ...parentOf(row, current) };
}

/** The comment on an object and, of statistics, the target: properties of their own, which change without it. */
function furtherFacts(row: Row): Fact[] {
  const parent = idOf("object", row.key);
  const one = (key: string, set: string, unset: string): Fact => ({
    id: idOf("property", `${key} ${row.key}`),
    parent,
    payload: { create: [set], depends: "", _drop: unset },
  });
  const on = `COMMENT ON ${spelled(String(row.key))} IS`;
  const alter = `ALTER ${String(row.key).replace(/^statistics/, "STATISTICS")} SET STATISTICS`;
  return [
    ...(row.comment === null
      ? []
      : [one("comment on", `${on} ${literal(String(row.comment))}`, `${on} NULL`)]),
    ...(row.target === null ? [] : [one("target of", `${alter} ${row.target}`, `${alter} -1`)]),
  ];
}

function propertyFact(row: Row, current: FactBase): Fact[] {
  const parent = parentOf(row, current);
  const payload = { create: [String(row.create)], depends: String(row.depends), _drop: String(row.drop) };
  return parent.parent === undefined ? [] : [{ id: idOf("property", row.key), payload, ...parent }];
}

function ownerEdges(objects: readonly Row[], current: FactBase): DependencyEdge[] {
  return objects.flatMap((row): DependencyEdge[] => {
    const role: StableId = { kind: "role", name: String(row.owner) };
    return current.has(role) ? [{ from: idOf("object", row.key), to: role, kind: "owner" }] : [];
  });
}

function edgesOf(objects: readonly Row[], dependencies: readonly Row[]): DependencyEdge[] {
  const name = (classid: unknown, oid: unknown) => `${classid} ${oid}`;
  const ids = new Map(objects.map((row) => [name(row.classid, row.objid), idOf("object", row.key)]));
  return dependencies.flatMap((row): DependencyEdge[] => {
    const from = ids.get(name(row.classid, row.objid)) ?? (row.from as StableId | null);
    const to = ids.get(name(row.refclassid, row.refobjid)) ?? (row.to as StableId | null);
    return from === null || to === null ? [] : [{ from, to, kind: "depends" }];
  });
}

/**
 * Reads, in pg-delta's own transaction, what pg-delta does not know: whole objects and single properties.
 * @param presence what there is at all
 */
export function extrasHandler(presence: () => ReadonlySet<string>): Handler {
  return {
    extension: "pgstack",
    capture: async ({ query }, current) => {
      const some = async (text: string | undefined) => (text === undefined ? [] : query(text));
      const objects = await some(objectsQuery(presence()));
      const properties = await some(propertiesQuery(presence()));
      const dependencies = objects.length === 0 ? [] : await query(dependenciesQuery);
      const multiranges = presence().has("pg_range") ? await query(multirangeUsesQuery) : [];
      const inherited = presence().has("pg_inherits") ? await query(inheritedColumnUsesQuery) : [];
      return {
        facts: [
          ...objects.flatMap((row) => [objectFact(row, current), ...furtherFacts(row)]),
          ...properties.flatMap((row) => propertyFact(row, current)),
        ],
        edges: [
          ...edgesOf(objects, [...dependencies, ...multiranges, ...inherited]),
          ...ownerEdges(objects, current),
        ],
      };
    },
  };
}

const statements = (fact: Fact) =>
  (fact.payload.create as string[]).map((sql) => ({ sql, lockClass: "none" as const }));

/** Later than all kinds of pg-delta's own, where nothing else decides. */
const weight = 90;

const shared: Pick<Rules, "create" | "drop" | "weight"> = {
  create: statements,
  drop: (fact) => ({ sql: String(fact.payload._drop), lockClass: "none" }),
  weight,
};

/** How pg-delta writes them: an object that changes is rebuilt, a property is set again. */
export const extrasRules: NonNullable<PlanOptions["intentRules"]> = new Map<string, Rules>([
  ["pgstack\0object", { ...shared, attributes: { create: "replace", again: "replace" } }],
  [
    "pgstack\0property",
    {
      ...shared,
      metadata: true,
      attributes: { create: { alter: statements }, depends: { alter: statements } },
    },
  ],
]);

import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { qualified } from "../../../postgres/sql.ts";
import { parentsOf } from "../../catalog/managed-view.ts";

type MemberId = Extract<StableId, { kind: "publicationRel" }>;

const isMember = (id: StableId): id is MemberId => id.kind === "publicationRel";

/** The tables from which others inherit, a partitioned table's partitions aside. */
function inheritedTables(...schemas: readonly FactBase[]): Set<string> {
  const children = schemas.flatMap((facts) =>
    facts
      .facts()
      .filter(({ id, payload }) => id.kind === "table" && payload.partitionBound == null)
      .flatMap(({ id }) => parentsOf(id, facts)),
  );
  return new Set(children.map(encodeId));
}

/**
 * A plan that adds and takes out tables without those that inherit from them: without ONLY, PostgreSQL takes all children
 * along, and a catalog shows each member by itself. Pure.
 */
export function withMembersAlone(actions: readonly Action[], from: FactBase, to: FactBase): Action[] {
  const inherited = inheritedTables(from, to);
  if (inherited.size === 0) return [...actions];
  return actions.map((action) => {
    const members = [...action.produces, ...action.destroys].filter(isMember);
    const names = members.flatMap(({ schema, table: name }) =>
      inherited.has(encodeId({ kind: "table", schema, name })) ? [qualified(schema, name)] : [],
    );
    if (names.length === 0) return action;
    const alone = (list: string) =>
      names.reduce((text, name) => text.replace(name, () => `ONLY ${name}`), list);
    return { ...action, sql: action.sql.replace(/ TABLE .*/s, alone) };
  });
}

/**
 * A plan that lets a table that is dropped leave its publications by itself: to take it out needs one more statement, and
 * the rights of the publication's owner. Pure.
 */
export function withMembersDroppedAlong(actions: readonly Action[]): Action[] {
  const dropped = new Set(
    actions
      .filter(({ sql }) => sql.startsWith("DROP TABLE "))
      .flatMap(({ destroys }) => destroys.map(encodeId)),
  );
  const goesAlong = ({ verb, destroys: [id] }: Action) => {
    if (verb !== "drop" || id === undefined || !isMember(id)) return false;
    const { schema, table: name } = id;
    return dropped.has(encodeId({ kind: "table", schema, name }));
  };
  return actions.filter((action) => !goesAlong(action));
}

/**
 * What a person should know of a statement that adds a table to a publication.
 *
 * @param rebuilt the encoded ids of tables that the same script drops
 */
export function publicationAdvice({ sql, produces }: Action, rebuilt: ReadonlySet<string>): string[] {
  const [id] = produces.filter(isMember);
  if (id === undefined || !/^ALTER PUBLICATION .* ADD /s.test(sql)) return [];
  const table: StableId = { kind: "table", schema: id.schema, name: id.table };
  return rebuilt.has(encodeId(table))
    ? [
        `the table is a new one: subscribers must run ALTER SUBSCRIPTION … REFRESH PUBLICATION, with copy_data = off where they have the rows`,
      ]
    : [];
}

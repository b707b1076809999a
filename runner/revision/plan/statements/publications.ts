import { encodeId, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";

const isMember = (id: StableId) => id.kind === "publicationRel";

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
    const { schema, table: name } = id as Extract<StableId, { kind: "publicationRel" }>;
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
  const [id] = produces.filter(isMember) as Extract<StableId, { kind: "publicationRel" }>[];
  if (id === undefined || !/^ALTER PUBLICATION .* ADD /s.test(sql)) return [];
  const table: StableId = { kind: "table", schema: id.schema, name: id.table };
  return rebuilt.has(encodeId(table))
    ? [
        `the table is a new one: subscribers must run ALTER SUBSCRIPTION … REFRESH PUBLICATION, with copy_data = off where they have the rows`,
      ]
    : [];
}

import type { FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import pg from "pg";

/** A key among a table's definitions. */
interface Key {
  readonly id: Action["produces"][number];
  readonly clause: string;
  /** All but whether it is the primary one. */
  readonly columns: string;
}

function keysOf({ produces }: Action, facts: FactBase): Key[] {
  return produces.flatMap((id) => {
    const payload = id.kind === "constraint" ? facts.get(id)?.payload : undefined;
    if (id.kind !== "constraint" || !/^[pu]$/.test(String(payload?.type))) return [];
    const def = String(payload?.def);
    const clause = `CONSTRAINT ${pg.escapeIdentifier(id.name)} ${def}`;
    return [{ id, clause, columns: def.replace(/^(PRIMARY KEY|UNIQUE) /, "") }];
  });
}

/** The keys that CREATE TABLE would leave out: of those on the same columns PostgreSQL keeps the primary one, or the first. */
function repeated(keys: readonly Key[]): Key[] {
  const primaryFirst = keys.toSorted(
    (one, other) =>
      Number(other.clause.includes(" PRIMARY KEY ")) - Number(one.clause.includes(" PRIMARY KEY ")),
  );
  const groups = Map.groupBy(primaryFirst, ({ columns }) => columns);
  return [...groups.values()].flatMap(([, ...more]) => more);
}

/** A table with several keys on the same columns gets all but one of them by statements of their own. Pure. */
export function withRepeatedKeysApart(actions: readonly Action[], facts: FactBase): Action[] {
  return actions.flatMap((action) => {
    const [, table] = action.sql.match(/^CREATE (?:UNLOGGED )?TABLE ("(?:[^"]|"")*"\."(?:[^"]|"")*") /) ?? [];
    const apart = table === undefined ? [] : repeated(keysOf(action, facts));
    if (apart.length === 0) return [action];
    const ids = apart.map(({ id }) => id);
    const sql = apart.reduce((text, { clause }) => text.replace(`, ${clause}`, ""), action.sql);
    const produces = action.produces.filter((id) => !ids.includes(id));
    const additions = apart.map(({ id, clause }): Action => {
      return { ...action, sql: `ALTER TABLE ${table} ADD ${clause}`, verb: "create", produces: [id] };
    });
    return [{ ...action, sql, produces }, ...additions];
  });
}

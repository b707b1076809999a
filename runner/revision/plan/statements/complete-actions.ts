import type { FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { identifier } from "../../../postgres/sql.ts";

const child = /^ALTER TABLE (.*) INHERIT (.*)$/s;
const creation = /^CREATE (?:UNLOGGED )?TABLE (.*?) \(.* INHERITS \(/s;

/** pg-delta makes a table with its first parent; columns come from the others too, so it needs all at once. */
export function withAllParents(actions: readonly Action[]): Action[] {
  const plain = (name: string) => name.replaceAll('"', "");
  const further = actions.filter(({ sql, verb }) => verb === "create" && child.test(sql));
  const taken = new Set<Action>();
  const complete = actions.map((action) => {
    const table = action.sql.match(creation)?.[1];
    const parents = further.filter(
      ({ sql }) => table !== undefined && plain(sql.match(child)?.[1] ?? "") === plain(table),
    );
    for (const one of parents) taken.add(one);
    const names = parents.map(({ sql }) => `, ${sql.match(child)?.[2]}`).join("");
    return names === ""
      ? action
      : { ...action, sql: action.sql.replace(/( INHERITS \([^)]*)\)/, `$1${names})`) };
  });
  return complete.filter((action) => !taken.has(action));
}

/** pg-delta knows no dependency on a single value of an enum: new values come before all that may use them. */
export function newValuesFirst(actions: readonly Action[]): Action[] {
  const isNew = ({ sql }: Action) => / ADD VALUE /.test(sql) && sql.startsWith("ALTER TYPE ");
  return [...actions.filter(isNew), ...actions.filter((action) => !isNew(action))];
}

/** pg-delta says a table's replica identity twice, and perhaps before the index's columns are NOT NULL. */
export function replicaIdentityLast(actions: readonly Action[]): Action[] {
  const isIdentity = ({ sql }: Action) => sql.includes(" REPLICA IDENTITY USING INDEX ");
  const said = new Map(actions.filter(isIdentity).map((action) => [action.sql, action]));
  return said.size === 0 ? [...actions] : [...actions.filter((one) => !isIdentity(one)), ...said.values()];
}

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
    const clause = `CONSTRAINT ${identifier(id.name)} ${def}`;
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

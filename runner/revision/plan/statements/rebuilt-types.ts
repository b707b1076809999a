import { encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { identifier, literal, qualified } from "../../../postgres/sql.ts";
import { freeNames } from "../order/name-conflicts.ts";

type Named = Extract<StableId, { schema: string; name: string }>;

/** How pg-delta moves an enum aside whose values change. */
const aside = /^ALTER TYPE .* RENAME TO (?<name>"(?:[^"]|"")*__pgdelta_replaced(?:_\d+)?")$/s;

/** What a new type must get: PostgreSQL knows nothing of the one whose place it takes. */
function propertiesOf(type: Named, from: FactBase, to: FactBase): string[] {
  const name = `TYPE ${qualified(type.schema, type.name)}`;
  return to.childrenOf(type).flatMap((fact) => {
    const { id, payload } = fact;
    if (id.kind === "comment")
      return from.has(id) && from.hashOf(id) === to.hashOf(id)
        ? [`COMMENT ON ${name} IS ${literal(String(payload.text))}`]
        : [];
    return id.kind === "acl" ? grantsOn(name, id.grantee, fact) : [];
  });
}

/** The privileges of a role on a new type, which PUBLIC may use unless that is revoked. */
function grantsOn(name: string, grantee: string, { payload }: Fact): string[] {
  const [all, grantable] = [payload.privileges, payload.grantable ?? []] as string[][];
  const isPublic = grantee === "PUBLIC";
  if (isPublic) return all?.includes("USAGE") ? [] : [`REVOKE USAGE ON ${name} FROM PUBLIC`];
  if (!all?.includes("USAGE")) return [];
  const option = grantable?.includes("USAGE") ? " WITH GRANT OPTION" : "";
  return [`GRANT USAGE ON ${name} TO ${identifier(grantee)}${option}`];
}

/** True for a statement of pg-delta's about privileges on one of these types. */
function isGrantOn({ produces, consumes, destroys }: Action, types: ReadonlySet<string>): boolean {
  return [...produces, ...consumes, ...destroys].some(
    (id) => id.kind === "acl" && types.has(encodeId(id.target)),
  );
}

/**
 * A plan in which an enum that is created again under its name keeps its comment and its privileges, and its old self has a
 * name that says so. Pure.
 */
export function withRebuiltTypesComplete(
  actions: readonly Action[],
  from: FactBase,
  to: FactBase,
): readonly Action[] {
  const free = freeNames(from, to);
  const names = new Map<string, string>();
  const types = new Set<string>();
  for (const { sql, consumes } of actions) {
    const name = sql.match(aside)?.groups?.name;
    const [type] = consumes as Named[];
    if (name === undefined || type === undefined) continue;
    names.set(name, identifier(free(type.schema, type.name)));
    types.add(encodeId(type));
  }
  if (types.size === 0) return actions;
  const renamed = (sql: string) =>
    [...names].reduce((text, [name, readable]) => text.replaceAll(name, () => readable), sql);
  return actions.flatMap((action): Action[] => {
    if (isGrantOn(action, types)) return [];
    const [type] = action.consumes as Named[];
    const one = { ...action, sql: /__pgdelta_replaced/.test(action.sql) ? renamed(action.sql) : action.sql };
    if (type === undefined || !types.has(encodeId(type)) || !/^CREATE TYPE /.test(action.sql)) return [one];
    return [one, ...propertiesOf(type, from, to).map((sql) => ({ ...action, sql }))];
  });
}

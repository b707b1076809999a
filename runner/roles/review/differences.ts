import type { EffectiveRole } from "../catalog/effective-rights.ts";
import type { CatalogObject } from "../catalog/objects.ts";
import type { Desired, Rule } from "../plan/desired.ts";

/** A right that a role has and should not (`surplus`), or should have and has not. */
export interface Difference {
  readonly role: string;
  readonly kind: "missing" | "surplus";
  /** Such as "SELECT on table public.users". */
  readonly what: string;
  /** Key of the object, where it is about one. */
  readonly object?: string;
  readonly right?: string;
}

const without = (these: readonly string[], those: readonly string[]) =>
  these.filter((one) => !those.includes(one));

function nameOf({ kind, schema, name }: CatalogObject): string {
  if (kind === "function") return `function ${name}`;
  return kind === "schema" ? `schema ${name}` : `${kind} ${schema}.${name}`;
}

/** To run a function that has its caller's rights only is no right worth a word; PUBLIC has it by default. */
function counts(object: CatalogObject, right: string): boolean {
  return right !== "EXECUTE" || object.securityDefiner;
}

function onObject(
  role: EffectiveRole,
  object: CatalogObject,
  desired: Desired,
  allowed: readonly string[],
): Difference[] {
  const { key } = object;
  const held = role.rights.get(key) ?? [];
  const difference = (kind: Difference["kind"], right: string): Difference => ({
    role: role.name,
    kind,
    what: `${right} on ${nameOf(object)}`,
    object: key,
    right,
  });
  const missing = without(desired.whole, held);
  const surplus = without(held, [...desired.whole, ...allowed]).filter((right) => counts(object, right));
  return [
    ...missing.map((right) => difference("missing", right)),
    ...surplus.map((right) => difference("surplus", right)),
  ];
}

/** Reading single columns, of a table that the role may read in part. */
function onColumns(
  role: EffectiveRole,
  table: CatalogObject,
  desired: Desired,
  allowed: readonly string[],
): Difference[] {
  const { key } = table;
  if (
    desired.whole.includes("SELECT") ||
    allowed.includes("SELECT") ||
    role.rights.get(key)?.includes("SELECT")
  )
    return [];
  const wanted = Object.keys(desired.columns).filter((column) => desired.columns[column]?.includes("SELECT"));
  const readable = role.readableColumns.get(key) ?? [];
  const difference = (kind: Difference["kind"], column: string): Difference => ({
    role: role.name,
    kind,
    what: `SELECT on column ${table.schema}.${table.name}.${column}`,
    object: key,
    right: "SELECT",
  });
  return [
    ...without(wanted, readable).map((column) => difference("missing", column)),
    ...without(readable, wanted).map((column) => difference("surplus", column)),
  ];
}

function onServer(role: EffectiveRole, readonly: boolean, attributesAllowed: boolean): Difference[] {
  const surplus = (what: string): Difference => ({ role: role.name, kind: "surplus", what });
  const missing = (what: string): Difference => ({ role: role.name, kind: "missing", what });
  return [
    ...(role.superuser ? [surplus("attribute SUPERUSER")] : []),
    ...role.attributes.map((attribute) => surplus(`attribute ${attribute}`)),
    ...(role.onDatabase.includes("CONNECT") ? [] : [missing("CONNECT on the database")]),
    ...(attributesAllowed
      ? []
      : without(role.onDatabase, ["CONNECT"]).map((right) => surplus(`${right} on the database`))),
    ...(readonly && !role.readOnly ? [missing("default_transaction_read_only")] : []),
  ];
}

/** A declared role, as far as a comparison needs it. */
export interface Compared {
  readonly role: EffectiveRole;
  readonly readonly: boolean;
  readonly rule: Rule;
  /** The roles that it is declared a member of, as the server has them: what they may do, it may. */
  readonly groups: readonly EffectiveRole[];
}

/** What the server would allow a declared role and should not, and what it would refuse and should not. */
export function differencesOf(
  { role, readonly, rule, groups }: Compared,
  objects: readonly CatalogObject[],
): Difference[] {
  const others = objects.filter(({ kind, owner }) => kind !== "database" && owner !== role.name);
  return [
    ...onServer(role, readonly, groups.length > 0),
    ...others.flatMap((object) => {
      const desired = rule.on(object);
      const allowed = groups.flatMap((group) => group.rights.get(object.key) ?? []);
      return [
        ...onObject(role, object, desired, allowed),
        ...(object.kind === "table" ? onColumns(role, object, desired, allowed) : []),
      ];
    }),
  ];
}

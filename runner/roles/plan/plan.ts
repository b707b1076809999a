import type { ObjectKind } from "../../config/access.ts";
import { identifier, qualified } from "../../postgres/sql.ts";
import type { CatalogObject, DefaultAcl } from "../catalog/objects.ts";
import { type Desired, type DesiredDefault, heldOnColumns, type Rule } from "./desired.ts";
import { type Change, type Statement, statementOf } from "./statement.ts";

/** Objects in one statement: enough to be quick, few enough to read in a log. */
const batch = 200;

const keyword: Record<ObjectKind, string> = {
  database: "DATABASE",
  schema: "SCHEMA",
  table: "TABLE",
  sequence: "SEQUENCE",
  function: "ROUTINE",
};

/** A privilege that changes: given or revoked, on an object or on columns of it. */
interface ObjectChange extends Pick<Change, "action" | "privileges"> {
  readonly object: CatalogObject;
}

const without = (these: readonly string[], those: readonly string[]) =>
  these.filter((one) => !those.includes(one)).sort();

/** Columns by the privileges that change on them, so that one statement serves many columns. */
function columnChanges(
  object: CatalogObject,
  action: Change["action"],
  from: Desired["columns"],
  to: Desired["columns"],
): ObjectChange[] {
  const columnsOf = new Map<string, string[]>();
  for (const [column, privileges] of Object.entries(to))
    for (const privilege of without(privileges, from[column] ?? []))
      columnsOf.set(privilege, [...(columnsOf.get(privilege) ?? []), identifier(column)]);
  if (columnsOf.size === 0) return [];
  const privileges = [...columnsOf].map(([privilege, columns]) => `${privilege} (${columns.join(", ")})`);
  return [{ action, privileges: privileges.join(", "), object }];
}

/** REVOKE on a table takes the same privilege from its columns, so what columns held of it counts as gone. */
function heldAfter(revoked: readonly string[], columns: Desired["columns"]): Desired["columns"] {
  return Object.fromEntries(
    Object.entries(columns).map(([name, privileges]) => [name, without(privileges, revoked)]),
  );
}

function changesOf(object: CatalogObject, desired: Desired, grantee: string): ObjectChange[] {
  const held = object.acl.get(grantee) ?? [];
  const taken = without(held, desired.whole);
  const given = without(desired.whole, held);
  const columns = heldAfter(taken, heldOnColumns(object, grantee));
  const change = (action: Change["action"], privileges: readonly string[]): ObjectChange[] =>
    privileges.length === 0 ? [] : [{ action, privileges: privileges.join(", "), object }];
  return [
    ...change("REVOKE", taken),
    ...columnChanges(object, "REVOKE", desired.columns, columns),
    ...change("GRANT", given),
    ...columnChanges(object, "GRANT", columns, desired.columns),
  ];
}

function nameOf({ kind, schema, name }: CatalogObject): string {
  if (kind === "function") return name;
  return kind === "schema" || kind === "database" ? identifier(name) : qualified(schema, name);
}

/** Changes of one sort as few statements, each on up to `batch` objects. */
function statementsOf(changes: readonly ObjectChange[], grantee: string): Statement[] {
  const groups = Map.groupBy(changes, ({ action, privileges, object }) =>
    JSON.stringify([action, privileges, object.kind, object.owner]),
  );
  return [...groups.values()].flatMap((group) => {
    const statements: Statement[] = [];
    for (let at = 0; at < group.length; at += batch) {
      const part = group.slice(at, at + batch);
      const { action, privileges, object } = part[0] as ObjectChange;
      const names = part.map((change) => nameOf(change.object)).join(", ");
      const on = `${keyword[object.kind]} ${names}`;
      statements.push(statementOf({ action, privileges, on, grantee, needs: object.owner }));
    }
    return statements;
  });
}

const keyOf = ({ creator, schema, kind }: Omit<DesiredDefault, "held">) =>
  JSON.stringify([creator, schema ?? null, kind]);

/** Default privileges of one creator on objects of one kind. */
function defaultChange(
  { creator, schema, kind }: Omit<DesiredDefault, "held">,
  action: Change["action"],
  privileges: readonly string[],
  grantee: string,
): Statement[] {
  if (privileges.length === 0) return [];
  const place = schema === undefined ? "" : ` IN SCHEMA ${identifier(schema)}`;
  const prefix = `ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(creator)}${place}`;
  const on = kind === "function" ? "ROUTINES" : `${keyword[kind]}S`;
  return [statementOf({ prefix, action, privileges: privileges.join(", "), on, grantee, needs: creator })];
}

function defaultStatements(
  actual: readonly DesiredDefault[],
  desired: readonly DesiredDefault[],
  grantee: string,
): Statement[] {
  const heldBy = new Map(actual.map((one) => [keyOf(one), one.held]));
  const wantedBy = new Map(desired.map((one) => [keyOf(one), one.held]));
  const all = new Map([...actual, ...desired].map((one) => [keyOf(one), one]));
  return [...all].flatMap(([key, one]) => {
    const held = heldBy.get(key) ?? [];
    const wanted = wantedBy.get(key) ?? [];
    return [
      ...defaultChange(one, "REVOKE", without(held, wanted), grantee),
      ...defaultChange(one, "GRANT", without(wanted, held), grantee),
    ];
  });
}

/**
 * The statements that lead from what a grantee holds to what it should hold; empty where both agree.
 * @param grantee a role's name, or `publicGrantee`
 */
export function planGrants(
  objects: readonly CatalogObject[],
  defaults: readonly DefaultAcl[],
  rule: Rule,
  grantee: string,
): Statement[] {
  const changes = objects.flatMap((object) => changesOf(object, rule.on(object), grantee));
  const held = defaults.map((one) => ({ ...one, held: one.acl.get(grantee) ?? [] }));
  return [...statementsOf(changes, grantee), ...defaultStatements(held, rule.defaults, grantee)];
}

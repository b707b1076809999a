import pg from "pg";
import { publicGrantee } from "../catalog/acl.ts";
import type { CatalogObject, DefaultAcl, ObjectKind } from "../catalog/objects.ts";
import { type Desired, type DesiredDefault, heldOnColumns, type Rule } from "./desired.ts";

/** A statement of a plan. */
export interface Statement {
  /** The SQL, up to those to whom it gives or from whom it takes. */
  readonly text: string;
  /** Quoted; more than one where the same is done for several: the server then writes each object's rights once. */
  readonly grantees: readonly string[];
  /** The role whose rights it takes: an object's owner, or a creator. Undefined: the admin's own. */
  readonly needs: string | undefined;
}

/** Objects in one statement: enough to be quick, few enough to read in a log. */
const batch = 200;

const quote = pg.escapeIdentifier;
const keyword: Record<ObjectKind, string> = {
  database: "DATABASE",
  schema: "SCHEMA",
  table: "TABLE",
  sequence: "SEQUENCE",
  function: "ROUTINE",
};

/** A right that changes: given or taken, on an object or on columns of it. */
interface Change {
  readonly verb: "GRANT" | "REVOKE";
  /** Such as `SELECT, INSERT` or `SELECT ("id", "name")`. */
  readonly privileges: string;
  readonly object: CatalogObject;
}

const without = (these: readonly string[], those: readonly string[]) =>
  these.filter((one) => !those.includes(one)).sort();

/** Columns by the privileges that change on them, so that one statement serves many columns. */
function columnChanges(
  object: CatalogObject,
  verb: Change["verb"],
  from: Desired["columns"],
  to: Desired["columns"],
): Change[] {
  const columnsOf = new Map<string, string[]>();
  for (const [column, privileges] of Object.entries(to))
    for (const privilege of without(privileges, from[column] ?? []))
      columnsOf.set(privilege, [...(columnsOf.get(privilege) ?? []), quote(column)]);
  if (columnsOf.size === 0) return [];
  const privileges = [...columnsOf].map(([privilege, columns]) => `${privilege} (${columns.join(", ")})`);
  return [{ verb, privileges: privileges.join(", "), object }];
}

/** REVOKE on a table takes the same privilege from its columns, so what columns held of it counts as gone. */
function heldAfter(revoked: readonly string[], columns: Desired["columns"]): Desired["columns"] {
  return Object.fromEntries(
    Object.entries(columns).map(([name, privileges]) => [name, without(privileges, revoked)]),
  );
}

function changesOf(object: CatalogObject, desired: Desired, grantee: string): Change[] {
  const held = object.acl.get(grantee) ?? [];
  const taken = without(held, desired.whole);
  const given = without(desired.whole, held);
  const columns = heldAfter(taken, heldOnColumns(object, grantee));
  const change = (verb: Change["verb"], privileges: readonly string[]): Change[] =>
    privileges.length === 0 ? [] : [{ verb, privileges: privileges.join(", "), object }];
  return [
    ...change("REVOKE", taken),
    ...columnChanges(object, "REVOKE", desired.columns, columns),
    ...change("GRANT", given),
    ...columnChanges(object, "GRANT", columns, desired.columns),
  ];
}

function nameOf({ kind, schema, name }: CatalogObject): string {
  if (kind === "function") return name;
  return kind === "schema" || kind === "database" ? quote(name) : `${quote(schema)}.${quote(name)}`;
}

function statementsOf(changes: readonly Change[], grantee: string): Statement[] {
  const groups = Map.groupBy(changes, ({ verb, privileges, object }) =>
    JSON.stringify([verb, privileges, object.kind, object.owner]),
  );
  return [...groups.values()].flatMap((group) => {
    const statements: Statement[] = [];
    for (let at = 0; at < group.length; at += batch) {
      const part = group.slice(at, at + batch);
      const { verb, privileges, object } = part[0] as Change;
      const names = part.map((change) => nameOf(change.object)).join(", ");
      const text = `${verb} ${privileges} ON ${keyword[object.kind]} ${names} ${verb === "GRANT" ? "TO" : "FROM"}`;
      statements.push({ text, grantees: [grantee], needs: object.owner });
    }
    return statements;
  });
}

const keyOf = ({ creator, schema, kind }: Omit<DesiredDefault, "held">) =>
  JSON.stringify([creator, schema ?? null, kind]);

function defaultStatements(
  actual: readonly DesiredDefault[],
  desired: readonly DesiredDefault[],
  grantee: string,
): Statement[] {
  const heldBy = new Map(actual.map((one) => [keyOf(one), one.held]));
  const wantedBy = new Map(desired.map((one) => [keyOf(one), one.held]));
  const all = new Map([...actual, ...desired].map((one) => [keyOf(one), one]));
  return [...all].flatMap(([key, { creator, schema, kind }]) => {
    const held = heldBy.get(key) ?? [];
    const wanted = wantedBy.get(key) ?? [];
    const place = schema === undefined ? "" : ` IN SCHEMA ${quote(schema)}`;
    const alter = `ALTER DEFAULT PRIVILEGES FOR ROLE ${quote(creator)}${place}`;
    const objects = `ON ${kind === "function" ? "ROUTINES" : `${keyword[kind]}S`}`;
    const taken = without(held, wanted);
    const given = without(wanted, held);
    return [
      ...(taken.length > 0 ? [`${alter} REVOKE ${taken.join(", ")} ${objects} FROM`] : []),
      ...(given.length > 0 ? [`${alter} GRANT ${given.join(", ")} ${objects} TO`] : []),
    ].map((text) => ({ text, grantees: [grantee], needs: creator }));
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
  const to = grantee === publicGrantee ? "PUBLIC" : quote(grantee);
  const changes = objects.flatMap((object) => changesOf(object, rule.on(object), grantee));
  const held = defaults.map((one) => ({ ...one, held: one.acl.get(grantee) ?? [] }));
  return [...statementsOf(changes, to), ...defaultStatements(held, rule.defaults, to)];
}

/** Plans of several grantees as one: what is done for more than one is done at once, and what is taken goes first. */
export function together(plans: readonly (readonly Statement[])[]): Statement[] {
  const groups = Map.groupBy(plans.flat(), ({ text, needs }) => JSON.stringify([text, needs]));
  const statements = [...groups.values()].flatMap((group) => {
    const [first] = group;
    const grantees = new Set(group.flatMap((one) => one.grantees));
    return first === undefined ? [] : [{ ...first, grantees: [...grantees] }];
  });
  const takes = ({ text }: Statement) => text.startsWith("REVOKE ");
  return [...statements.filter(takes), ...statements.filter((one) => !takes(one))];
}

/** A statement in full. */
export function sqlOf({ text, grantees }: Statement): string {
  return [text, ...(grantees.length > 0 ? [grantees.join(", ")] : [])].join(" ");
}

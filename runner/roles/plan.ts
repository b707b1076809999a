import pg from "pg";
import type { DefaultHolding, Holding, ObjectKind } from "./catalog.ts";
import type { Desired, Rule } from "./desired.ts";

/** A statement of a plan, and the role whose rights it needs: an object's owner, or a creator. */
export interface Statement {
  readonly sql: string;
  readonly needs: string;
}

/** Objects in one statement: enough to be quick, few enough to read in a log. */
const batch = 200;

const quote = pg.escapeIdentifier;
const keyword: Record<ObjectKind, string> = {
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
  readonly object: Holding;
}

const without = (these: readonly string[], those: readonly string[]) =>
  these.filter((one) => !those.includes(one)).sort();

/** Columns by the privileges that change on them, so that one statement serves many columns. */
function columnChanges(
  object: Holding,
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
function heldAfter(revoked: readonly string[], columns: Holding["columns"]): Holding["columns"] {
  return Object.fromEntries(
    Object.entries(columns).map(([name, privileges]) => [name, without(privileges, revoked)]),
  );
}

function changesOf(object: Holding, desired: Desired): Change[] {
  const taken = without(object.held, desired.whole);
  const given = without(desired.whole, object.held);
  const columns = heldAfter(taken, object.columns);
  const change = (verb: Change["verb"], privileges: readonly string[]): Change[] =>
    privileges.length === 0 ? [] : [{ verb, privileges: privileges.join(", "), object }];
  return [
    ...change("REVOKE", taken),
    ...columnChanges(object, "REVOKE", desired.columns, columns),
    ...change("GRANT", given),
    ...columnChanges(object, "GRANT", columns, desired.columns),
  ];
}

function nameOf({ kind, schema, name }: Holding): string {
  if (kind === "function") return name;
  return kind === "schema" ? quote(name) : `${quote(schema)}.${quote(name)}`;
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
      const sql = `${verb} ${privileges} ON ${keyword[object.kind]} ${names} ${verb === "GRANT" ? "TO" : "FROM"} ${grantee}`;
      statements.push({ sql, needs: object.owner });
    }
    return statements;
  });
}

const keyOf = ({ creator, schema, kind }: DefaultHolding) => JSON.stringify([creator, schema ?? null, kind]);

function defaultStatements(
  actual: readonly DefaultHolding[],
  desired: readonly DefaultHolding[],
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
      ...(taken.length > 0 ? [`${alter} REVOKE ${taken.join(", ")} ${objects} FROM ${grantee}`] : []),
      ...(given.length > 0 ? [`${alter} GRANT ${given.join(", ")} ${objects} TO ${grantee}`] : []),
    ].map((sql) => ({ sql, needs: creator }));
  });
}

/**
 * The statements that lead from what a grantee holds to what it should hold, revocations first; empty where
 * both agree.
 * @param grantee a role's name, or undefined for PUBLIC
 */
export function planGrants(
  holdings: readonly Holding[],
  defaults: readonly DefaultHolding[],
  rule: Rule,
  grantee: string | undefined,
): Statement[] {
  const to = grantee === undefined ? "PUBLIC" : quote(grantee);
  const changes = holdings.flatMap((object) => changesOf(object, rule.on(object)));
  const ordered = [
    ...changes.filter(({ verb }) => verb === "REVOKE"),
    ...changes.filter(({ verb }) => verb === "GRANT"),
  ];
  return [...statementsOf(ordered, to), ...defaultStatements(defaults, rule.defaults, to)];
}

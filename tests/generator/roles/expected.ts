// Who may do what, from the documentation alone: nothing here knows how the runner plans grants.
import type { DeclaredRole } from "./declarations.ts";
import { nameOf, type World, type WorldObject } from "./world.ts";

/** A privilege that a role is asked about: `SELECT on table "public"."t"`, `SELECT on column …`. */
export interface Question {
  readonly role: string;
  readonly on: "database" | "schema" | "table" | "column" | "sequence" | "function";
  readonly object: string;
  readonly column?: string;
  readonly privilege: string;
  readonly expected: boolean;
}

const tablePrivileges = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];
const columnPrivileges = ["SELECT", "INSERT", "UPDATE", "REFERENCES"];
const written = new Set(["SELECT", "INSERT", "UPDATE", "DELETE"]);

const mayUse = ({ schemas }: DeclaredRole, schema: string) =>
  schemas === undefined || schemas.includes(schema);

/** The object and the tables that it is a part of. */
function lineage(object: WorldObject): WorldObject[] {
  return [object, ...(object.parent === undefined ? [] : lineage(object.parent))];
}

function exclusionsOn(role: DeclaredRole, object: WorldObject) {
  return role.exclusions.filter(({ schema, table }) =>
    lineage(object).some((one) => (schema ?? one.schema) === one.schema && (table ?? one.name) === one.name),
  );
}

/** True where a role has a privilege on a table, or on a column of it. */
export function mayOnTable(
  role: DeclaredRole,
  object: WorldObject,
  privilege: string,
  column?: string,
): boolean {
  const wanted = role.access === "readonly" ? privilege === "SELECT" : written.has(privilege);
  if (!wanted || !mayUse(role, object.schema)) return false;
  const exclusions = exclusionsOn(role, object);
  if (exclusions.some((one) => one.column === undefined)) return false;
  const hidden = object.columns.filter((name) => exclusions.some((one) => one.column === name));
  if (column !== undefined) return !hidden.includes(column);
  return hidden.length === 0 || !columnPrivileges.includes(privilege);
}

/** True where a role may run a function: by its access, by PUBLIC, or because a view calls it. */
export function mayRun(role: DeclaredRole, routine: WorldObject, objects: readonly WorldObject[]): boolean {
  if (routine.byPublic === true && routine.definer !== true) return true;
  if (!mayUse(role, routine.schema)) return false;
  if (role.access === "readwrite") return true;
  return routine.definer !== true && objects.some(({ calls }) => calls === routine);
}

function onSequence({ access }: DeclaredRole, privilege: string): boolean {
  return privilege === "SELECT" || (privilege === "USAGE" && access === "readwrite");
}

/** The questions about one object. */
export function questionsOn(
  role: DeclaredRole,
  object: WorldObject,
  objects: readonly WorldObject[],
): Question[] {
  const name = nameOf(object);
  const ask = (privilege: string, expected: boolean): Question => {
    return { role: role.name, on: object.kind, object: name, privilege, expected };
  };
  const owns = object.owner === role.name || role.memberOf.includes(object.owner);
  if (object.kind === "sequence")
    return ["SELECT", "USAGE", "UPDATE"].map((privilege) =>
      ask(privilege, owns || (mayUse(role, object.schema) && onSequence(role, privilege))),
    );
  if (object.kind === "function") return [ask("EXECUTE", owns || mayRun(role, object, objects))];
  const whole = tablePrivileges.map((privilege) =>
    ask(privilege, owns || mayOnTable(role, object, privilege)),
  );
  const single = object.columns.flatMap((column) =>
    columnPrivileges.map((privilege): Question => {
      const expected = owns || mayOnTable(role, object, privilege, column);
      return { role: role.name, on: "column", object: name, column, privilege, expected };
    }),
  );
  return [...whole, ...single];
}

/** The questions about a role in the whole database. Everybody may use the schema `public` by PUBLIC. */
export function questionsAbout(role: DeclaredRole, { database, schemas, objects, owner }: World): Question[] {
  const ask = (on: "database" | "schema", object: string, privilege: string, expected: boolean): Question => {
    return { role: role.name, on, object, privilege, expected };
  };
  const asOwner = role.memberOf.includes(owner);
  return [
    ask("database", database, "CONNECT", true),
    ask("database", database, "TEMP", asOwner),
    ask("database", database, "CREATE", asOwner),
    ...schemas.flatMap((schema) => [
      ask("schema", schema, "USAGE", asOwner || schema === "public" || mayUse(role, schema)),
      ask("schema", schema, "CREATE", asOwner),
    ]),
    ...objects.flatMap((object) => questionsOn(role, object, objects)),
  ];
}

/**
 * Whether a role may use what a role makes after the stack's update, before the next one: by default privileges, which
 * schemas have that no exclusion of the role concerns.
 */
export function questionsOnLater(role: DeclaredRole, object: WorldObject, newSchema: boolean): Question[] {
  const concerned = role.exclusions.some(({ schema }) => schema === undefined || schema === object.schema);
  const covered = newSchema ? role.exclusions.length === 0 && role.schemas === undefined : !concerned;
  const open: DeclaredRole = covered ? { ...role, exclusions: [] } : { ...role, schemas: [], exclusions: [] };
  return questionsOn(open, object, []);
}

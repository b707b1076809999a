// A database with objects of several owners, as a model that knows of each object what decides who may use it.
import { identifier, qualified } from "../../../runner/postgres/sql.ts";
import type { Dice } from "../../support/random.ts";

/** An object on which privileges are held. */
export interface WorldObject {
  readonly kind: "table" | "sequence" | "function";
  readonly schema: string;
  readonly name: string;
  readonly owner: string;
  /** Of a table, not of a view. */
  readonly columns: readonly string[];
  /** The partitioned table that it is a partition of. */
  readonly parent?: WorldObject;
  readonly definer?: boolean;
  /** The function that a view calls. */
  readonly calls?: WorldObject;
  /** PUBLIC may run it: it was there before the stack, or a superuser has made it. */
  readonly byPublic?: boolean;
  readonly sql: string;
}

/** The quoted name, with the arguments of a function. */
export function nameOf({ kind, schema, name }: Pick<WorldObject, "kind" | "schema" | "name">): string {
  return `${qualified(schema, name)}${kind === "function" ? "(integer)" : ""}`;
}

/** What a case has made so far. */
export interface World {
  /** Begins the names of the case's roles, which all databases of a server share. */
  readonly prefix: string;
  readonly database: string;
  readonly owner: string;
  /** Another role that owns objects. */
  readonly maker: string;
  readonly superuser: string;
  readonly schemas: string[];
  readonly objects: WorldObject[];
  next: number;
}

const columns = ["id", "email", "Secret"];
const tableColumns = 'id integer NOT NULL, email text, "Secret" text';

type Draft = Pick<WorldObject, "schema" | "name" | "owner">;

function makeTable(dice: Dice, draft: Draft, world: World): WorldObject[] {
  const name = qualified(draft.schema, draft.name);
  const table = { ...draft, kind: "table", columns } as const;
  if (!dice.once(3)) return [{ ...table, sql: `CREATE TABLE ${name} (${tableColumns})` }];
  const inherits = dice.once(2);
  const by = inherits ? "" : " PARTITION BY RANGE (id)";
  const whole = { ...table, sql: `CREATE TABLE ${name} (${tableColumns})${by}` };
  const schema = dice.once(3) ? (dice.one(world.schemas) ?? draft.schema) : draft.schema;
  const part = `${draft.name}_p`;
  const below = inherits ? `() INHERITS (${name})` : `PARTITION OF ${name} DEFAULT`;
  const sql = `CREATE TABLE ${qualified(schema, part)} ${below}`;
  return [whole, { ...table, schema, name: part, parent: whole, sql }];
}

function makeView(dice: Dice, draft: Draft, world: World): WorldObject | undefined {
  const mayRun = ({ owner, byPublic, definer }: WorldObject) =>
    owner === draft.owner || (byPublic === true && definer !== true);
  const calls = dice.one(world.objects.filter((one) => one.kind === "function" && mayRun(one)));
  if (calls === undefined) return undefined;
  const form = dice.of("VIEW", "MATERIALIZED VIEW");
  const sql = `CREATE ${form} ${qualified(draft.schema, draft.name)} AS SELECT ${qualified(calls.schema, calls.name)}(1) AS id`;
  return { ...draft, kind: "table", columns: ["id"], calls, sql };
}

/** Draws an object that a role makes; `later` where default privileges of the stack hold already. */
export function makeObjects(dice: Dice, world: World, owner: string, later: boolean): WorldObject[] {
  const schema = dice.one(world.schemas) ?? "public";
  const draft = { schema, name: dice.once(5) ? `Odd ${world.next++}` : `o${world.next++}`, owner };
  const name = qualified(draft.schema, draft.name);
  const kind = dice.of("table", "table", "table", "view", "sequence", "function", "function");
  if (kind === "table") return makeTable(dice, draft, world);
  if (kind === "view") return [makeView(dice, draft, world)].filter((one) => one !== undefined);
  if (kind === "sequence") return [{ ...draft, kind, columns: [], sql: `CREATE SEQUENCE ${name}` }];
  const definer = dice.once(4);
  const sql = `CREATE FUNCTION ${name}(integer) RETURNS integer LANGUAGE sql${definer ? " SECURITY DEFINER" : ""} AS 'SELECT 1'`;
  return [{ ...draft, kind, columns: [], definer, byPublic: !later || owner === world.superuser, sql }];
}

/** Statements that make objects as their owners. */
export function makingStatements(objects: readonly WorldObject[]): string[] {
  return objects.flatMap(({ owner, sql }) => [`SET ROLE ${identifier(owner)}`, sql, "RESET ROLE"]);
}

// What happens to a database beside its stack: rights that somebody changes by hand, objects that move.
import { identifier } from "../../../runner/postgres/sql.ts";
import type { Dice } from "../../support/random.ts";
import type { DeclaredRole } from "./declarations.ts";
import { nameOf, type World, type WorldObject } from "./world.ts";

const words = { table: "TABLE", sequence: "SEQUENCE", function: "FUNCTION" } as const;

function grantByHand(dice: Dice, role: string, object: WorldObject): string {
  const privileges = {
    table: ["ALL", "INSERT", "TRUNCATE", "SELECT (id)", "UPDATE (id)"],
    sequence: ["ALL", "USAGE"],
    function: ["EXECUTE"],
  };
  const [verb, preposition] = dice.once(3) ? ["REVOKE", "FROM"] : ["GRANT", "TO"];
  const privilege = dice.one(privileges[object.kind]) ?? "ALL";
  const option = verb === "GRANT" && dice.once(4) ? " WITH GRANT OPTION" : "";
  return `${verb} ${privilege} ON ${words[object.kind]} ${nameOf(object)} ${preposition} ${role}${option}`;
}

function defaultByHand(dice: Dice, world: World, role: string): string {
  const of = identifier(dice.of(world.owner, world.maker));
  const place = dice.once(2) ? "" : ` IN SCHEMA ${identifier(dice.one(world.schemas) ?? "public")}`;
  const what = dice.of("INSERT ON TABLES", "ALL ON SEQUENCES", "EXECUTE ON FUNCTIONS", "SELECT ON TABLES");
  const [verb, preposition] = dice.once(2) ? ["REVOKE", "FROM"] : ["GRANT", "TO"];
  return `ALTER DEFAULT PRIVILEGES FOR ROLE ${of}${place} ${verb} ${what} ${preposition} ${role}`;
}

function attributeByHand(dice: Dice, world: World, role: string): string {
  return dice.of(
    `ALTER ROLE ${role} CREATEDB`,
    `ALTER ROLE ${role} BYPASSRLS CREATEROLE`,
    `ALTER ROLE ${role} CONNECTION LIMIT 3`,
    `ALTER ROLE ${role} SET default_transaction_read_only = off`,
    `ALTER ROLE ${role} NOINHERIT`,
    `GRANT ${identifier(world.maker)} TO ${role}`,
    `GRANT pg_write_all_data TO ${role}`,
  );
}

/** A change of rights by hand; `undefined` where there is nothing to change. */
export function changeByHand(dice: Dice, world: World, roles: readonly DeclaredRole[]): string | undefined {
  const declared = dice.one(roles);
  const object = dice.one(world.objects);
  if (declared === undefined || object === undefined) return undefined;
  const role = identifier(declared.name);
  const schema = identifier(dice.one(world.schemas) ?? "public");
  return dice.of(
    () => grantByHand(dice, role, object),
    () => grantByHand(dice, role, object),
    () => defaultByHand(dice, world, role),
    () => attributeByHand(dice, world, role),
    () => `GRANT ${dice.of("CREATE", "USAGE", "ALL")} ON SCHEMA ${schema} TO ${role}`,
    () => `REVOKE USAGE ON SCHEMA ${schema} FROM ${role}`,
    () =>
      `${dice.of("GRANT ALL", "GRANT CREATE", "GRANT TEMPORARY")} ON DATABASE ${identifier(world.database)} TO ${dice.of(role, "PUBLIC")}`,
    () => `GRANT CREATE ON SCHEMA ${schema} TO PUBLIC`,
  )();
}

/** Moves a table to another schema or gives it another owner; the statements, and the object as it is then. */
export function moveObject(
  dice: Dice,
  world: World,
): { sql: string; from: WorldObject; to: WorldObject } | undefined {
  const free = world.objects.filter(
    ({ kind, columns, sql }) => kind === "table" && columns.length > 1 && !/PARTITION/.test(sql),
  );
  const from = dice.one(free);
  if (from === undefined) return undefined;
  if (dice.once(2)) {
    const owner = dice.of(world.owner, world.maker, world.superuser);
    return { from, to: { ...from, owner }, sql: `ALTER TABLE ${nameOf(from)} OWNER TO ${identifier(owner)}` };
  }
  const schema = dice.one(world.schemas.filter((name) => name !== from.schema));
  if (schema === undefined) return undefined;
  return {
    from,
    to: { ...from, schema },
    sql: `ALTER TABLE ${nameOf(from)} SET SCHEMA ${identifier(schema)}`,
  };
}

// Random declarations of roles.
import type { RightsDeclaration } from "../../../runner/config/role-declaration.ts";
import type { Dice } from "../../support/random.ts";
import type { World, WorldObject } from "./world.ts";

/** What an entry of `exclude` names. */
export interface Exclusion {
  readonly schema: string | undefined;
  /** Undefined: every table. */
  readonly table: string | undefined;
  readonly column: string | undefined;
}

/** A role as the configuration declares it. */
export interface DeclaredRole {
  readonly name: string;
  readonly access: "readonly" | "readwrite";
  /** Undefined: every schema. */
  readonly schemas: readonly string[] | undefined;
  readonly exclusions: readonly Exclusion[];
  readonly memberOf: readonly string[];
}

const quoted = (name: string) => (/^\w+$/.test(name) ? name : `"${name}"`);

/** An exclusion as the configuration writes it. */
function textOf({ schema, table, column }: Exclusion): string {
  const parts = [schema, table ?? "*", column].filter((part) => part !== undefined);
  return parts.map((part) => (part === "*" ? part : quoted(part))).join(".");
}

function randomExclusion(dice: Dice, tables: readonly WorldObject[]): Exclusion[] {
  const table = dice.one(tables);
  if (table === undefined) return [];
  const { schema, name } = table;
  return [
    dice.of<Exclusion>(
      { schema, table: undefined, column: undefined },
      { schema, table: name, column: undefined },
      { schema: undefined, table: name, column: undefined },
      { schema: undefined, table: name, column: "email" },
      { schema, table: name, column: "Secret" },
    ),
  ];
}

/** Draws what a role is declared to be; `groups` are roles that it may be a member of. */
export function randomRole(dice: Dice, world: World, name: string, groups: readonly string[]): DeclaredRole {
  const tables = world.objects.filter(({ kind, columns }) => kind === "table" && columns.length > 1);
  const exclusions = dice.once(2)
    ? []
    : [1, 2].flatMap(() => (dice.once(2) ? randomExclusion(dice, tables) : []));
  return {
    name,
    access: dice.of("readonly", "readwrite"),
    schemas: dice.once(2) ? undefined : dice.some(world.schemas, world.schemas.length),
    exclusions,
    memberOf: dice.once(3) ? dice.some(groups, 1) : [],
  };
}

/** Roles as resources send them to the runner. */
export function declarationOf({ owner, schemas }: World, roles: readonly DeclaredRole[]): RightsDeclaration {
  return {
    owner,
    creators: roles.filter(({ memberOf }) => memberOf.includes(owner)).map(({ name }) => name),
    roles: roles.map((role) => ({
      role: role.name,
      access: role.access,
      schemas: role.schemas ?? schemas,
      allSchemas: role.schemas === undefined,
      exclude: role.exclusions.map(textOf),
    })),
    attributes: roles.map((role) => ({
      role: role.name,
      adopted: false,
      memberOf: role.memberOf,
      connectionLimit: -1,
      statementTimeout: 0,
      idleInTransactionTimeout: 0,
      validUntil: "infinity",
    })),
  };
}

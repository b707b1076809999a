// One random case: roles with random declarations, and what each may do after every step.
import type pg from "pg";
import { providerRights, type StatedRight } from "../../../components/roles/provider-rights.ts";
import { type ConnectionSettings, withClient } from "../../../runner/postgres/connection.ts";
import { rowsOf } from "../../../runner/postgres/rows.ts";
import { identifier } from "../../../runner/postgres/sql.ts";
import { readProviderLimits } from "../../../runner/roles/catalog/provider-limits.ts";
import { applyRights } from "../../../runner/roles/plan/apply.ts";
import { prepareRoleDrop } from "../../../runner/roles/plan/drop-role.ts";
import { type Dice, diceFrom } from "../../support/random.ts";
import type { ThrowawayCluster } from "../../support/throwaway-cluster.ts";
import { type DeclaredRole, declarationOf, randomRole } from "./declarations.ts";
import { changeByHand, moveObject } from "./events.ts";
import { type Question, questionsAbout, questionsOnLater } from "./expected.ts";
import { makeObjects, makingStatements, type World, type WorldObject } from "./world.ts";

interface Case {
  readonly dice: Dice;
  readonly client: pg.Client;
  readonly world: World;
  /** What was done, for a person who looks at a fault. */
  readonly log: string[];
  readonly faults: string[];
  roles: DeclaredRole[];
  stated: Set<string>;
}

async function run({ client, log }: Case, ...statements: readonly string[]): Promise<void> {
  for (const sql of statements) {
    log.push(sql);
    await client.query(sql);
  }
}

const functions = {
  database: "has_database_privilege",
  schema: "has_schema_privilege",
  table: "has_table_privilege",
  column: "has_column_privilege",
  sequence: "has_sequence_privilege",
  function: "has_function_privilege",
} as const;

/** Asks the server, and tells where its answers are not those that were expected. */
async function ask(one: Case, when: string, questions: readonly Question[]): Promise<void> {
  const groups = Map.groupBy(questions, ({ on }) => on);
  for (const [on, group] of groups) {
    const column = on === "column" ? "q ->> 'column', " : "";
    const rows = await rowsOf<{ q: Question }>(
      one.client,
      `SELECT q FROM jsonb_array_elements($1::jsonb) q
       WHERE ${functions[on]}(q ->> 'role', q ->> 'object', ${column}q ->> 'privilege') <> (q ->> 'expected')::boolean`,
      [JSON.stringify(group)],
    );
    for (const { q } of rows) {
      const where = `${q.on} ${q.object}${q.column === undefined ? "" : `.${q.column}`}`;
      one.faults.push(`${when}: ${q.role} ${q.expected ? "has not" : "has"} ${q.privilege} on ${where}`);
    }
  }
}

/** What the provider runs for a right that is new or has changed. */
function providerStatements({ kind, args }: StatedRight): string[] {
  const role = identifier(args.role);
  if (kind === "GrantRole") return [`GRANT ${identifier(args.grantRole)} TO ${role}`];
  const schema = args.schema === undefined ? undefined : identifier(args.schema);
  const privileges = args.privileges.join(", ");
  if (kind === "DefaultPrivileges") {
    const place = schema === undefined ? "" : ` IN SCHEMA ${schema}`;
    const prefix = `ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(args.owner)}${place}`;
    const what = `${args.objectType.toUpperCase()}S`;
    return [
      `${prefix} REVOKE ALL ON ${what} FROM ${role}`,
      `${prefix} GRANT ${privileges} ON ${what} TO ${role}`,
    ];
  }
  const all = `ALL ${args.objectType.toUpperCase()}S IN SCHEMA ${schema}`;
  const on = {
    database: `DATABASE ${identifier(args.database)}`,
    schema: `SCHEMA ${schema}`,
    table: all,
    sequence: all,
  };
  return [
    `REVOKE ALL ON ${on[args.objectType]} FROM ${role}`,
    `GRANT ${privileges} ON ${on[args.objectType]} TO ${role}`,
  ];
}

async function applyProvider(one: Case): Promise<void> {
  const { world, client, roles } = one;
  const declarations = declarationOf(world, roles).roles;
  const limits = await readProviderLimits(client, declarations);
  const stated = roles.map(({ memberOf }, at) => ({
    memberOf,
    declaration: declarations[at] as (typeof declarations)[0],
  }));
  const rights = providerRights(stated, { name: world.database, owner: world.owner, limits });
  const fresh = rights.filter((right) => !one.stated.has(JSON.stringify(right)));
  one.stated = new Set(rights.map((right) => JSON.stringify(right)));
  await run(one, ...fresh.flatMap(providerStatements));
}

/** An update of the stack: the runner's pass, then the provider's resources; a second pass finds nothing to do. */
async function update(one: Case, when: string): Promise<void> {
  one.log.push(`-- ${when}: ${JSON.stringify(one.roles)}`);
  one.log.push(...(await applyRights(one.client, declarationOf(one.world, one.roles))));
  await applyProvider(one);
  const rest = await applyRights(one.client, declarationOf(one.world, one.roles));
  one.faults.push(...rest.map((sql) => `${when}: a second pass runs ${sql}`));
  await ask(
    one,
    when,
    one.roles.flatMap((role) => questionsAbout(role, one.world)),
  );
}

/** A partition in another schema than its table: whether it is excluded is known at the next update. */
const isPartElsewhere = ({ schema, parent }: WorldObject) => parent !== undefined && parent.schema !== schema;

async function makeLater(one: Case): Promise<void> {
  const { dice, world } = one;
  const made: WorldObject[] = [];
  for (let left = 1 + dice.below(4); left > 0; left--) {
    const objects = makeObjects(dice, world, dice.of(world.owner, world.maker), true);
    await run(one, ...makingStatements(objects));
    world.objects.push(...objects);
    made.push(...objects);
  }
  await ask(
    one,
    "later objects",
    one.roles.flatMap((role) =>
      made.flatMap((object) => (isPartElsewhere(object) ? [] : questionsOnLater(role, object, false))),
    ),
  );
  if (!dice.once(2)) return;
  const schema = `later ${world.next++}`;
  const use = `GRANT USAGE, CREATE ON SCHEMA ${identifier(schema)} TO ${identifier(world.maker)}`;
  await run(
    one,
    `SET ROLE ${identifier(world.owner)}`,
    `CREATE SCHEMA ${identifier(schema)}`,
    use,
    "RESET ROLE",
  );
  const table: WorldObject = {
    kind: "table",
    schema,
    name: `t${world.next}`,
    owner: world.owner,
    columns: ["id", "email"],
    sql: `CREATE TABLE ${identifier(schema)}.t${world.next++} (id integer, email text)`,
  };
  await run(one, ...makingStatements([table]));
  world.schemas.push(schema);
  world.objects.push(table);
  await ask(
    one,
    "a later schema",
    one.roles.flatMap((role) => questionsOnLater(role, table, true)),
  );
}

async function driftByHand(one: Case): Promise<void> {
  const { dice, world } = one;
  for (let left = 1 + dice.below(8); left > 0; left--) {
    const sql = changeByHand(dice, world, one.roles);
    if (sql !== undefined) await run(one, sql);
  }
  if (!dice.once(2)) return;
  const move = moveObject(dice, world);
  if (move === undefined) return;
  await run(one, move.sql);
  world.objects.splice(world.objects.indexOf(move.from), 1, move.to);
}

const roleName = ({ world }: Case, name: string) => `${world.prefix}_${name}`;

async function changeDeclarations(one: Case): Promise<void> {
  const { dice, world, client } = one;
  const groups = [roleName(one, "group")];
  const kept = one.roles.filter(() => !dice.once(5));
  for (const { name } of one.roles.filter((role) => !kept.includes(role))) {
    one.log.push(`-- drop ${name}`);
    await prepareRoleDrop(client, name, world.owner);
    await run(one, `DROP ROLE ${identifier(name)}`);
    one.stated = new Set([...one.stated].filter((right) => JSON.parse(right).args.role !== name));
  }
  one.roles = kept.map((role) => (dice.once(2) ? randomRole(dice, world, role.name, groups) : role));
  if (dice.once(2)) await addRole(one, groups);
}

async function addRole(one: Case, groups: readonly string[]): Promise<void> {
  const name = roleName(one, `${one.dice.of("reader", "Writer-", "app")}${one.world.next++}`);
  await run(one, `CREATE ROLE ${identifier(name)} LOGIN`);
  one.roles = [...one.roles, randomRole(one.dice, one.world, name, groups)];
}

async function begin(one: Case): Promise<void> {
  const { dice, world } = one;
  for (const schema of world.schemas.slice(1))
    await run(one, `CREATE SCHEMA ${identifier(schema)} AUTHORIZATION ${identifier(world.owner)}`);
  for (const schema of world.schemas)
    await run(
      one,
      `GRANT USAGE, CREATE ON SCHEMA ${identifier(schema)} TO ${identifier(world.owner)}, ${identifier(world.maker)}`,
    );
  if (dice.once(3)) await run(one, "CREATE EXTENSION hstore");
  for (let left = 4 + dice.below(8); left > 0; left--) {
    const objects = makeObjects(
      dice,
      world,
      dice.of(world.owner, world.owner, world.maker, world.superuser),
      false,
    );
    await run(one, ...makingStatements(objects));
    world.objects.push(...objects);
  }
  await run(one, `CREATE ROLE ${identifier(roleName(one, "group"))}`);
  for (let left = 1 + dice.below(3); left > 0; left--) await addRole(one, [roleName(one, "group")]);
}

/** What a case did, and what is wrong. */
export interface RoleOutcome {
  readonly log: readonly string[];
  readonly faults: readonly string[];
}

async function play(one: Case): Promise<void> {
  await begin(one);
  await update(one, "first update");
  await makeLater(one);
  await update(one, "update after later objects");
  await driftByHand(one);
  await update(one, "update after changes by hand");
  await changeDeclarations(one);
  await update(one, "update with other declarations");
  await makeLater(one);
  await driftByHand(one);
  await update(one, "last update");
}

/** Plays the case of a seed in a database of its own, as a superuser. */
export async function runRoleCase({ superuser }: ThrowawayCluster, seed: number): Promise<RoleOutcome> {
  const dice = diceFrom(seed);
  const prefix = `c${seed}`;
  const [owner, maker] = [`${prefix}_owner`, `${prefix}_maker`];
  const settings: ConnectionSettings = { ...superuser, database: prefix };
  const setUp = [
    `CREATE ROLE ${owner} LOGIN`,
    `CREATE ROLE ${maker} LOGIN`,
    `CREATE DATABASE ${prefix} OWNER ${owner}`,
  ];
  await withClient(superuser, async (client) => {
    for (const sql of setUp) await client.query(sql);
  });
  const world: World = {
    prefix,
    database: prefix,
    owner,
    maker,
    superuser: superuser.user,
    schemas: ["public", "audit", "Odd One"],
    objects: [],
    next: 1,
  };
  const log: string[] = [];
  const faults: string[] = [];
  await withClient(settings, async (client) => {
    const one: Case = { dice, client, world, log, faults, roles: [], stated: new Set() };
    await play(one).catch((error: Error) => faults.push(`it does not run: ${error.message}`));
  });
  await withClient(superuser, (client) => client.query(`DROP DATABASE ${prefix}`));
  return { log, faults };
}

/** The kind of a fault, without names. */
export const kindOfRoleFault = (fault: string) =>
  fault.replaceAll(/"[^"]*"|\bc\d+\w*\S*|\bo\d+\w*/g, "…").slice(0, 90);

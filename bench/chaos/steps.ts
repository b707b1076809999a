import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionSettings, connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { identifier } from "../../runner/postgres/sql.ts";
import { done, type TestProject } from "../../tests/support/project.ts";
import { expectedTables, type StackModel, writeRows } from "./model.ts";

/** A stack under test: what it should be, and how to reach it. */
export interface ChaosStack {
  readonly model: StackModel;
  readonly project: TestProject;
  /** The superuser of its server, on the stack's database. */
  readonly admin: () => Promise<ConnectionSettings>;
  /** The keys `instance` and, where it is needed, `adminPassword` of the stack. */
  readonly instance: Readonly<Record<string, unknown>>;
  readonly random: (below: number) => number;
}

/** One thing that a person may do before the next `up`. */
export interface Step {
  readonly name: string;
  /** Whether the step makes sense at present. */
  readonly fits: (stack: ChaosStack) => boolean;
  readonly run: (stack: ChaosStack) => Promise<void>;
}

const fileOf = (model: StackModel, table: string) =>
  join(model.directory, `${table.replace(/\D/g, "")}_${table}.sql`);

/** Writes the stack's configuration as its model says. */
export function configure(
  { project, model, instance }: ChaosStack,
  more: Readonly<Record<string, unknown>> = {},
): void {
  const { kept, tables } = model;
  const declared = new Set([`${model.name}_owner`, ...model.roles.map(({ name }) => name)]);
  const adopted = model.adopted.filter((name) => declared.has(name));
  const passwords = Object.entries(model.passwords).filter(([name]) => declared.has(name));
  const to =
    kept === undefined ? "latest" : kept === 0 ? "0" : (tables[kept - 1] as string).replace(/\D/g, "");
  project.configure(model.name, {
    ...instance,
    database: { name: `${model.name}_db`, owner: `${model.name}_owner` },
    roles: model.roles,
    migrations: { directory: model.directory, to },
    passwords: Object.fromEntries(passwords),
    ...(adopted.length > 0 && { adopt: { roles: adopted } }),
    protect: false,
    ...more,
  });
}

/** Writes a migration that creates the next table. */
export function addTable({ project, model }: ChaosStack, number: number): void {
  const table = `t${String(number).padStart(6, "0")}`;
  mkdirSync(join(project.directory, model.directory), { recursive: true });
  const up = `CREATE TABLE ${table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);`;
  writeFileSync(
    join(project.directory, fileOf(model, table)),
    `-- migrate: up\n${up}\n-- migrate: down\nDROP TABLE ${table};\n`,
  );
  model.tables.push(table);
}

const pick = <T>({ random }: ChaosStack, all: readonly T[]) => all[random(all.length)] as T;

async function byHand(stack: ChaosStack, sql: string): Promise<void> {
  await withClient(await stack.admin(), (client) => client.query(sql));
}

let numbers = 100_000;

/** Every step; each is followed by a preview, an `up` and the checks. */
export const steps: readonly Step[] = [
  {
    name: "add a migration",
    fits: ({ model }) => model.kept === undefined,
    run: async (stack) => addTable(stack, ++numbers),
  },
  {
    name: "take the newest migration's file away",
    fits: ({ model }) => model.kept === undefined && model.tables.length > 1,
    run: async ({ project, model }) => {
      const table = model.tables.pop() as string;
      rmSync(join(project.directory, fileOf(model, table)));
    },
  },
  {
    name: "go back by migrations.to",
    fits: ({ model }) => model.kept === undefined && model.tables.length > 2,
    run: async ({ model }) => {
      model.kept = model.tables.length - 1;
    },
  },
  {
    name: "go forward to the latest migration",
    fits: ({ model }) => model.kept !== undefined,
    run: async ({ model }) => {
      model.kept = undefined;
    },
  },
  {
    name: "declare another role",
    fits: ({ model }) => model.roles.length < 5,
    run: async (stack) => {
      const access = pick(stack, ["readonly", "readwrite"] as const);
      const name = `${stack.model.name}-role-${++numbers}`;
      stack.model.roles.push({ name, access, connectionLimit: 5, passwordVersion: 1 });
    },
  },
  {
    name: "remove a role",
    fits: ({ model }) => model.roles.length > 1,
    run: async (stack) => {
      stack.model.roles.splice(stack.random(stack.model.roles.length), 1);
    },
  },
  {
    name: "change a role's connection limit",
    fits: ({ model }) => model.roles.length > 0,
    run: async (stack) => {
      pick(stack, stack.model.roles).connectionLimit = 5 + stack.random(20);
    },
  },
  {
    name: "rotate a password",
    fits: ({ model }) => model.roles.length > 0,
    run: async (stack) => {
      pick(stack, stack.model.roles).passwordVersion++;
    },
  },
  {
    name: "grant a right by hand",
    fits: ({ model }) => model.roles.length > 0 && expectedTables(model).length > 0,
    run: async (stack) => {
      const [role, table] = [pick(stack, stack.model.roles), pick(stack, expectedTables(stack.model))];
      await byHand(stack, `GRANT TRUNCATE ON public.${identifier(table)} TO ${identifier(role.name)}`);
    },
  },
  {
    name: "revoke a right by hand",
    fits: ({ model }) => model.roles.length > 0 && expectedTables(model).length > 0,
    run: async (stack) => {
      const [role, table] = [pick(stack, stack.model.roles), pick(stack, expectedTables(stack.model))];
      await byHand(stack, `REVOKE SELECT ON public.${identifier(table)} FROM ${identifier(role.name)}`);
    },
  },
  {
    name: "give a role an attribute by hand",
    fits: ({ model }) => model.roles.length > 0,
    run: async (stack) => {
      const { name } = pick(stack, stack.model.roles);
      await byHand(stack, `ALTER ROLE ${identifier(name)} CREATEDB CONNECTION LIMIT 3`);
    },
  },
  {
    name: "write rows",
    fits: ({ model }) => expectedTables(model).length > 0,
    run: async (stack) => {
      const urls = (await stack.project.outputs(stack.model.name)).urls as Record<string, string>;
      const owner = connectionFromUrl(urls[`${stack.model.name}_owner`] as string, {});
      await writeRows(stack.model, owner, 1 + stack.random(5));
    },
  },
  {
    name: "lose the state, and adopt the database",
    fits: ({ instance }) => "adminPassword" in instance,
    run: async (stack) => {
      const { project, model } = stack;
      const urls = (await project.outputs(model.name)).urls as Record<string, string>;
      model.passwords = Object.fromEntries(
        Object.entries(urls).map(([role, url]) => [role, connectionFromUrl(url, {}).password ?? ""]),
      );
      for (const role of model.roles) role.passwordVersion = 1;
      await done(project.pulumi("stack", "rm", model.name, "--force", "--yes", "--preserve-config"));
      await done(project.pulumi("stack", "init", model.name));
      configure(stack, { adopt: { importOnly: true, roles: Object.keys(urls) } });
      await done(project.pgstack("up", "--stack", model.name, "--yes", "--skip-preview"));
      model.adopted = Object.keys(urls);
    },
  },
  {
    name: "kill an update",
    fits: () => true,
    run: async (stack) => {
      if (stack.model.kept === undefined) addTable(stack, ++numbers);
      configure(stack);
      const child = stack.project.start("up", "--stack", stack.model.name, "--yes", "--skip-preview");
      const ended = new Promise((resolve) => child.on("exit", resolve));
      await sleep(1000 + stack.random(15_000));
      if (child.exitCode === null) process.kill(-(child.pid as number), "SIGKILL");
      child.stdout?.destroy();
      child.stderr?.destroy();
      await ended;
    },
  },
];

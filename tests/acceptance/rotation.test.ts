// Another password or address is no reason to run anything again, and what runs later, deletes too, takes the new one.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sql } from "../support/databases.ts";
import { instanceOf } from "../support/managed-service.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let project: TestProject;
let cluster: ThrowawayCluster;
let password: string;

const reader = { name: "shop_reader", access: "readonly" };

function configure(changes: Record<string, unknown> = {}): void {
  project.configure("prod", {
    instance: instanceOf(cluster.admin),
    adminPassword: password,
    database: { name: "shop", owner: "shop_owner" },
    roles: [reader, { name: "shop_guest", access: "readonly" }],
    protect: false,
    ...changes,
  });
}

async function rotate(next: string): Promise<void> {
  await sql({ ...cluster.admin, password }, `ALTER ROLE postgres PASSWORD '${next}'`);
  password = next;
}

before(async () => {
  [project, cluster] = [createProject(), await startThrowawayCluster()];
  password = cluster.admin.password as string;
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  for (const name of ["01_a", "02_b"])
    project.write(
      `migrations/${name}.sql`,
      `-- migrate: up\nCREATE TABLE ${name.slice(3)} (id int);\n-- migrate: down\nDROP TABLE ${name.slice(3)};\n`,
    );
  configure();
  await done(project.pulumi("stack", "init", "prod"));
  await done(update());
});

after(async () => {
  await project.close();
  await cluster.close();
});

const update = () => project.pulumi("up", "--stack", "prod", "--yes", "--skip-preview", "--non-interactive");

/** Types of the resources that a preview would change, with what it would do. */
async function changes(): Promise<string[]> {
  const output = await done(project.pulumi("preview", "--stack", "prod", "--json"));
  const { steps } = JSON.parse(output.slice(output.indexOf("{"))) as { steps: { op: string; urn: string }[] };
  return steps
    .filter(({ op }) => op !== "same" && op !== "read")
    .map(({ op, urn }) => `${op} ${urn.split("::").slice(-2).join(" ")}`);
}

test("a rotated password and another address update the provider and nothing else, twice", async () => {
  for (const [next, host] of [
    ["first new one", "localhost"],
    ["second", "127.0.0.1"],
  ] as const) {
    await rotate(next);
    configure({ instance: { ...instanceOf(cluster.admin), host } });
    assert.deepEqual(await changes(), [
      "update pgstack:index:Instance$pulumi:providers:postgresql postgresql",
    ]);
    await done(update());
    assert.deepEqual(await changes(), []);
  }
  configure();
  await done(update());
});

test("what goes, reverts and comes after a rotation takes the new password", async () => {
  await rotate("third");
  configure({ roles: [reader], migrations: { to: "01_a" } });
  project.write(
    "migrations/03_c.sql",
    "-- migrate: up\nCREATE TABLE c (id int);\n-- migrate: down\nDROP TABLE c;\n",
  );
  await done(update());
  const shop = { ...cluster.admin, password, database: "shop" };
  assert.deepEqual(await sql(shop, "SELECT rolname FROM pg_roles WHERE rolname = 'shop_guest'"), []);
  assert.deepEqual(await sql(shop, "SELECT relname FROM pg_class WHERE relname IN ('a', 'b', 'c')"), [
    { relname: "a" },
  ]);
});

test("no password is in the files that keep the ways to the server", () => {
  const directory = join(project.directory, ".pgstack/connections/prod");
  const files = readdirSync(directory);
  assert.ok(files.length >= 3);
  for (const file of files) assert.ok(!readFileSync(join(directory, file)).includes("third"));
});

interface Deployment {
  resources: {
    urn: string;
    type: string;
    inputs?: Record<string, unknown>;
    outputs?: Record<string, unknown>;
  }[];
}

/** The state as it was before: results handed on, a long one among them, and the way to the server in each Command. */
async function makeOlder(): Promise<void> {
  const file = join(project.directory, "state.json");
  const state = JSON.parse(await done(project.pulumi("stack", "export", "--stack", "prod"))) as {
    deployment: Deployment;
  };
  const commands = state.deployment.resources.filter(({ type }) => type === "command:local:Command");
  for (const { urn, inputs = {}, outputs = {} } of commands) {
    for (const part of [inputs, outputs]) {
      part.addPreviousOutputInEnv = true;
      delete part.update;
      const environment = part.environment as Record<string, unknown> | undefined;
      for (const name of ["PGSTACK_CONNECTION", "PGSTACK_CONNECTION_KEY"]) delete environment?.[name];
    }
    if (urn.endsWith("::migrations"))
      outputs.stdout = JSON.stringify({
        count: 1,
        head: "01_a",
        pending: 2,
        recorded: ["x".repeat(200_000)],
      });
  }
  state.deployment.resources = state.deployment.resources.filter(
    ({ urn }) => !/::(connection-key|connections|protection)$/.test(urn),
  );
  for (const resource of state.deployment.resources as unknown as {
    dependencies?: string[];
    propertyDependencies?: Record<string, string[]>;
  }[]) {
    const there = (urn: string) => !urn.endsWith("::connection-key");
    if (resource.dependencies) resource.dependencies = resource.dependencies.filter(there);
    for (const [name, urns] of Object.entries(resource.propertyDependencies ?? {}))
      (resource.propertyDependencies as Record<string, string[]>)[name] = urns.filter(there);
  }
  writeFileSync(file, JSON.stringify(state));
  await done(project.pulumi("stack", "import", "--stack", "prod", "--file", file));
}

test("a stack of an earlier version, stuck on a long result, continues: nothing is replaced, no password changes", async () => {
  const before = await project.outputs("prod");
  await makeOlder();
  const said = await changes();
  assert.deepEqual(
    said.filter((change) => /^(replace|delete|create-replacement)/.test(change)),
    [],
  );
  await done(update());
  const after = await project.outputs("prod");
  assert.deepEqual(after.urls, before.urls);
  assert.deepEqual(await changes(), []);
  const state = JSON.parse(await done(project.pulumi("stack", "export", "--stack", "prod"))) as {
    deployment: Deployment;
  };
  const commands = state.deployment.resources.filter(({ type }) => type === "command:local:Command");
  for (const { urn, outputs } of commands) assert.ok(String(outputs?.stdout ?? "").length < 2000, urn);
});

test("a plain destroy after a rotation drops the roles with the new password, and leaves no way to the server", async () => {
  await rotate("fourth");
  configure({ roles: [reader], migrations: { to: "01_a" } });
  await done(update());
  await done(project.pulumi("destroy", "--stack", "prod", "--yes", "--skip-preview", "--non-interactive"));
  const left = await sql(
    { ...cluster.admin, password },
    "SELECT rolname FROM pg_roles WHERE rolname ~ '^shop_'",
  );
  assert.deepEqual(left, []);
  assert.deepEqual(readdirSync(join(project.directory, ".pgstack/connections")), []);
});

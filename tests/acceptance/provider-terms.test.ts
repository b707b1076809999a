import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { sql } from "../support/databases.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

// What this program says to Pulumi's postgresql provider, on a server where each of its peculiarities shows. The plugins of
// toolchain/ behave as the official ones do.

let project: TestProject;
let cluster: ThrowawayCluster;
let shop: ConnectionSettings;

/** A server whose time zone is not UTC, as Debian's initdb makes it, with a database that an operator made by hand. */
before(async () => {
  [project, cluster] = [
    createProject(),
    await startThrowawayCluster({ settings: { timezone: "Asia/Tokyo" } }),
  ];
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  project.write(
    "migrations/20240101000000_games.sql",
    "-- migrate: up\nCREATE TABLE games (id int);\n-- migrate: down\nDROP TABLE games;\n",
  );
  shop = { ...cluster.superuser, database: "shop" };
  await sql(
    cluster.superuser,
    "CREATE ROLE shop LOGIN PASSWORD 'owner pw' CONNECTION LIMIT 40 VALID UNTIL '2041-05-06 07:08:09+00'",
    "ALTER ROLE shop SET statement_timeout = 70000",
    "CREATE ROLE iam",
    "CREATE ROLE team",
    "CREATE ROLE clerk LOGIN PASSWORD 'clerk pw' VALID UNTIL '2040-01-31 00:00:00+00'",
    "ALTER ROLE clerk SET statement_timeout = '0.5min'",
    "GRANT iam TO shop",
    "GRANT team TO clerk WITH ADMIN OPTION",
    "CREATE DATABASE shop OWNER shop CONNECTION LIMIT 50",
  );
  await sql(
    { ...shop, user: "shop", password: "owner pw" },
    "CREATE SCHEMA stock",
    "CREATE TABLE games (id int)",
    "GRANT USAGE ON SCHEMA stock TO clerk",
    "GRANT SELECT ON games TO clerk",
  );
});
after(async () => {
  await project.close();
  await cluster.close();
});

interface Steps {
  readonly steps: readonly { op: string; urn: string; newState?: { type: string } }[];
}

/** The operations of a preview on what the provider manages, in the order of the steps. */
async function operations(): Promise<string[]> {
  const preview = await done(project.pgstack("preview", "shop", "--json"));
  const { steps } = JSON.parse(preview.slice(preview.indexOf("{"))) as Steps;
  return steps.filter(({ urn }) => urn.includes("postgresql:index/")).map(({ op }) => op);
}

const unchanged = () => done(project.pgstack("preview", "shop", "--expect-no-changes"));

/** Ends the import-only step, and changes roles. */
function takeCharge(change: (role: Record<string, unknown>) => object): void {
  const { config } = parse(project.read("Pulumi.shop.yaml")) as { config: Record<string, unknown> };
  const keys = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace("pgstack:", ""), value]),
  );
  const roles = (keys.roles as Record<string, unknown>[]).map((role) => ({ ...role, ...change(role) }));
  project.configure("shop", { ...keys, roles, adopt: { ...(keys.adopt as object), importOnly: false } });
}

const line = /ALTER ROLE "clerk" SET statement_timeout = 30000/;

test("adopt and a preview say which line to run for a timeout that the provider cannot read", async () => {
  const { user, password, host, port } = cluster.admin;
  const url = `postgresql://${user}:${password}@${host}:${port}/shop?sslmode=disable`;
  const said = await done(project.pgstack("adopt", "--url", url, "--stack", "shop"));
  assert.match(said, line);
  assert.match(project.read("Pulumi.shop.yaml"), /statementTimeout: 30000/);
  assert.match(said, /role "clerk" is a member of "team" WITH ADMIN OPTION/);
  const preview = await project.pgstack("preview", "shop");
  assert.notEqual(preview.code, 0, preview.output);
  assert.match(preview.output, line);
  await sql(cluster.superuser, "ALTER ROLE clerk SET statement_timeout = 30000");
});

test("what is adopted is imported, and no import is an update too", async () => {
  assert.deepEqual([...new Set(await operations())], ["import"]);
  await done(project.pgstack("up", "shop", "--yes", "--skip-preview"));
  await unchanged();
});

/** Everything that no configuration says of the database, its owner, and its clerk. */
async function kept() {
  const [found] = await sql(
    cluster.superuser,
    `SELECT datconnlimit, rolconnlimit, rolvaliduntil = '2041-05-06 07:08:09+00' AS until, rolconfig,
       ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members WHERE member = r.oid) AS of,
       (SELECT bool_or(admin_option) FROM pg_auth_members m WHERE m.member = 'clerk'::regrole AND m.roleid = 'team'::regrole) AS administers
     FROM pg_database d, pg_roles r WHERE datname = 'shop' AND rolname = 'shop'`,
  );
  return found;
}

test("a stack that takes charge keeps limits, memberships and admin options that nobody declared", async () => {
  const before = await kept();
  takeCharge(({ name }) => (name === "clerk" ? { connectionLimit: 7 } : {}));
  await done(project.pgstack("up", "shop", "--yes", "--skip-preview"));
  assert.deepEqual(await kept(), before);
  await unchanged();
  await sql(cluster.superuser, "CREATE ROLE by_hand", "GRANT by_hand TO clerk WITH ADMIN OPTION");
  takeCharge(({ name }) => (name === "clerk" ? { connectionLimit: 8 } : {}));
  const log = await done(project.pgstack("up", "shop", "--yes", "--skip-preview"));
  assert.match(log, /GRANT "by_hand" TO "clerk" WITH ADMIN OPTION/);
  assert.deepEqual(await kept(), before);
  const [clerk] = await sql(cluster.superuser, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'clerk'");
  assert.deepEqual(clerk, { rolconnlimit: 8 });
  await unchanged();
});

test("instants settle: a preview and a refresh show no change, whatever the server's time zone", async () => {
  takeCharge(({ name }) =>
    name === "clerk" ? { validUntil: "2040-02-01T12:00", statementTimeout: "1min" } : {},
  );
  await done(project.pgstack("up", "shop", "--yes", "--skip-preview"));
  const [clerk] = await sql(
    cluster.superuser,
    "SELECT rolvaliduntil = '2040-02-01 12:00+00' AS until, rolconfig FROM pg_roles WHERE rolname = 'clerk'",
  );
  assert.equal(clerk?.until, true);
  assert.match(String(clerk?.rolconfig), /statement_timeout=60000/);
  await unchanged();
  await done(project.pulumi("refresh", "--stack", "shop", "--yes", "--expect-no-changes"));
  await unchanged();
});

/** A value that the engine keeps encrypted, as `stack export --show-secrets` prints it. */
const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  plaintext: JSON.stringify(value),
});

/** The properties that the official plugin writes beside those of a role: nulls, a secret null, and notes of its own. */
const officialRole = {
  __meta: '{"schema_version":"0"}',
  encrypted: null,
  passwordWo: secret(null),
  passwordWoVersion: null,
};

interface State {
  readonly deployment: {
    readonly resources: { type: string; inputs?: object; outputs?: Record<string, unknown> }[];
  };
}

test("a state as the official plugins write it is gone on with, and shows no change", async () => {
  const exported = await project.pulumi("stack", "export", "--stack", "shop", "--show-secrets");
  const state = JSON.parse(exported.stdout) as State;
  const roles = state.deployment.resources.filter(({ type }) => type === "postgresql:index/role:Role");
  assert.equal(roles.length, 2);
  for (const role of roles) {
    assert.equal(typeof role.outputs?.statementTimeout, "number", "numbers are numbers in the outputs");
    role.outputs = { ...role.outputs, ...officialRole };
    role.inputs = { ...role.inputs, __defaults: ["bypassRowLevelSecurity", "createDatabase"] };
  }
  project.write("official.json", JSON.stringify(state));
  await done(project.pulumi("stack", "import", "--stack", "shop", "--file", "official.json"));
  await unchanged();
  takeCharge(({ name }) => (name === "clerk" ? { connectionLimit: 9 } : {}));
  await done(project.pgstack("up", "shop", "--yes", "--skip-preview"));
  await unchanged();
});

test("no command's input is one that the program does not name", async () => {
  const exported = await project.pulumi("stack", "export", "--stack", "shop");
  const { deployment } = JSON.parse(exported.stdout) as State;
  const commands = deployment.resources.filter(({ type }) => type === "command:local:Command");
  assert.ok(commands.length > 0);
  const named = ["create", "update", "delete", "stdin", "environment", "logging", "addPreviousOutputInEnv"];
  for (const { inputs = {} } of commands)
    assert.deepEqual(
      Object.keys(inputs).filter((key) => !named.includes(key)),
      [],
    );
  // the program names it, as false; the plugin's own default would be true
  for (const { inputs } of commands)
    assert.equal((inputs as { addPreviousOutputInEnv?: boolean }).addPreviousOutputInEnv, false);
});

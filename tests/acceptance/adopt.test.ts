import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { sql } from "../support/databases.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let project: TestProject;
let cluster: ThrowawayCluster;
let bot: ConnectionSettings;

/** A database as an operator makes it by hand, with the three statements for the one who only reads. */
before(async () => {
  [project, cluster] = [createProject(), await startThrowawayCluster()];
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  project.write(
    "migrations/20240101000000_games.sql",
    "-- migrate: up\nCREATE TABLE games (id int);\nCREATE TABLE of_superuser (id int);\n" +
      "-- migrate: down\nDROP TABLE games, of_superuser;\n",
  );
  bot = { ...cluster.superuser, database: "spellbot" };
  await sql(cluster.superuser, "CREATE ROLE spellbot LOGIN CREATEDB PASSWORD 'owner pw'");
  await sql(cluster.superuser, "CREATE ROLE spellbot_readonly_user LOGIN PASSWORD 'pw' CONNECTION LIMIT 5");
  await sql(cluster.superuser, "CREATE ROLE iam", "GRANT iam TO spellbot");
  await sql(
    cluster.superuser,
    "CREATE ROLE odd LOGIN PASSWORD 'pw'",
    "CREATE DATABASE spellbot OWNER spellbot",
  );
  await sql(
    { ...bot, user: "spellbot", password: "owner pw" },
    "CREATE TABLE games (id int)",
    "CREATE TABLE alembic_version (version_num varchar(32))",
    "INSERT INTO alembic_version VALUES ('5a1f')",
    "GRANT CONNECT ON DATABASE spellbot TO spellbot_readonly_user",
    "GRANT USAGE ON SCHEMA public TO spellbot_readonly_user",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO spellbot_readonly_user",
    "GRANT SELECT, INSERT ON games TO odd",
  );
  await sql(bot, "CREATE TABLE of_superuser (id int)");
});
after(async () => {
  await project.close();
  await cluster.close();
});

/** Everything about roles, rights and objects that a dump of the server shows. */
async function snapshot(): Promise<unknown[]> {
  const server = await sql(
    bot,
    "SELECT rolname, rolpassword, rolcreatedb, rolconnlimit FROM pg_authid WHERE rolname !~ '^pg_' ORDER BY 1",
  );
  const objects = await sql(
    bot,
    `SELECT relname, relacl::text, relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
     UNION ALL SELECT nspname, nspacl::text, nspowner::regrole::text FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'
     UNION ALL SELECT datname, datacl::text, datdba::regrole::text FROM pg_database ORDER BY 1`,
  );
  return [server, objects];
}

test("a database made by hand is read into a stack's configuration, with what that cannot say", async () => {
  const { user, password, host, port } = cluster.admin;
  const url = `postgresql://${user}:${password}@${host}:${port}/spellbot?sslmode=disable`;
  const said = await done(project.pgstack("adopt", "--url", url, "--stack", "taken"));
  const { config } = parse(project.read("Pulumi.taken.yaml"));
  assert.deepEqual(config["pgstack:database"], {
    name: "spellbot",
    owner: "spellbot",
    schemas: ["public"],
    extensions: [],
  });
  assert.deepEqual(config["pgstack:roles"], [
    {
      name: "spellbot_readonly_user",
      access: "readonly",
      exclude: ["public.of_superuser"],
      connectionLimit: 5,
    },
  ]);
  assert.deepEqual(config["pgstack:migrations"], { baseline: "20240101000000_games", adopt: true });
  assert.ok(!project.read("Pulumi.taken.yaml").includes(password as string));
  for (const remark of [
    /alembic_version is Alembic's record of migrations, at 5a1f/,
    /1 tables?, views? and sequences? belongs? to "postgres"/,
    /role "odd" is left out/,
    /the owner "spellbot" is a member of iam; it stays a member/,
    /cannot read public\.of_superuser today/,
  ])
    assert.match(said, remark);
});

test("what follows shows imports only, and changes nothing", async () => {
  const before = await snapshot();
  const preview = await done(project.pgstack("preview", "taken", "--json"));
  const { steps } = JSON.parse(preview.slice(preview.indexOf("{"))) as {
    steps: { op: string; newState?: { type: string } }[];
  };
  const databaseSteps = steps.filter(({ newState }) => /^postgresql:index/.test(newState?.type ?? ""));
  assert.deepEqual([...new Set(databaseSteps.map(({ op }) => op))], ["import"]);
  assert.ok(!steps.some(({ newState }) => newState?.type === "command:local:Command"));
  await done(project.pgstack("up", "taken", "--yes", "--skip-preview"));
  await done(project.pgstack("preview", "taken", "--expect-no-changes"));
  assert.deepEqual(await snapshot(), before);
});

/** Ends the import-only step of an adopted stack, with what else its configuration shall say. */
function takeCharge(stack: string, changes: Record<string, unknown> = {}): void {
  const { config } = parse(project.read(`Pulumi.${stack}.yaml`)) as { config: Record<string, unknown> };
  const keys = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace("pgstack:", ""), value]),
  );
  project.configure(stack, { ...keys, adopt: { ...(keys.adopt as object), importOnly: false }, ...changes });
}

test("without importOnly the stack takes charge: the baseline is recorded, the password stays, later tables are readable", async () => {
  takeCharge("taken");
  project.write(
    "migrations/20240102000000_plays.sql",
    "-- migrate: up\nCREATE TABLE plays (id int);\n-- migrate: down\nDROP TABLE plays;\n",
  );
  const preview = await done(project.pgstack("preview", "taken"));
  assert.match(preview, /1 to record, if the schema is theirs: 20240101000000_games/);
  assert.match(preview, /1 to apply: 20240102000000_plays/);
  const log = await done(project.pgstack("up", "taken", "--yes", "--skip-preview"));
  assert.match(log, /recorded 1 migrations? as applied/);
  const { stdout, stderr } = await project.pgstack("status", "--stack", "taken", "--json");
  assert.notEqual(stdout, "", stderr);
  const states = (JSON.parse(stdout).migrations as { name: string; state: string }[]).map(
    ({ state }) => state,
  );
  assert.deepEqual(states, ["applied", "applied"]);
  const owner = { ...bot, user: "spellbot", password: "owner pw" };
  await sql(owner, "CREATE SCHEMA later", "CREATE TABLE later.t (id int)");
  await done(project.pgstack("up", "taken", "--yes", "--skip-preview"));
  const reader = { ...bot, user: "spellbot_readonly_user", password: "pw" };
  await sql(reader, "TABLE games", "TABLE plays", "TABLE later.t");
  await assert.rejects(sql(reader, "TABLE of_superuser"), /permission denied/);
  await done(project.pgstack("preview", "taken", "--expect-no-changes"));
});

test("what nobody declared stays, also through a later change: memberships, a schema's owner, CONNECT of whoever uses the database", async () => {
  takeCharge("taken", { passwords: { spellbot: "new pw" } });
  await done(project.pgstack("up", "taken", "--yes", "--skip-preview"));
  await sql({ ...bot, user: "spellbot", password: "new pw" }, "TABLE games");
  const [kept] = await sql(
    bot,
    `SELECT pg_has_role('spellbot', 'iam', 'MEMBER') AS member, nspowner::regrole::text AS owner
     FROM pg_namespace WHERE nspname = 'public'`,
  );
  assert.deepEqual(kept, { member: true, owner: "pg_database_owner" });
  await sql({ ...bot, user: "odd", password: "pw" }, "TABLE games");
  const roles = await project.pgstack("roles", "--stack", "taken");
  assert.match(roles.output, /^odd +\(not declared\)/m);
});

test("an owner as which the stack itself logs in is managed no further than its name", async () => {
  await sql(
    cluster.superuser,
    "CREATE ROLE self LOGIN CREATEDB CREATEROLE PASSWORD 'pw' CONNECTION LIMIT 40 IN ROLE iam",
    "ALTER ROLE self SET statement_timeout = 60000",
    "CREATE DATABASE self OWNER self",
  );
  const url = `postgresql://self:pw@${cluster.admin.host}:${cluster.admin.port}/self`;
  await done(project.pgstack("adopt", "--url", url, "--stack", "self"));
  await done(project.pgstack("up", "self", "--yes", "--skip-preview"));
  takeCharge("self", { roles: [{ name: "self_reader", access: "readonly" }], migrations: {} });
  const facts = "SELECT rolcreaterole, rolconnlimit, rolconfig FROM pg_roles WHERE rolname = 'self'";
  const before = await sql(cluster.superuser, facts);
  await done(project.pgstack("up", "self", "--yes", "--skip-preview"));
  assert.deepEqual(await sql(cluster.superuser, facts), before);
  await sql(cluster.superuser, "DO $$ BEGIN ASSERT pg_has_role('self', 'iam', 'MEMBER'); END $$");
  await done(project.pgstack("preview", "self", "--expect-no-changes"));
});

test("a preview names a role that the stack is to make and somebody else has made", async () => {
  takeCharge("self", {
    roles: [
      { name: "self_reader", access: "readonly" },
      { name: "odd", access: "readonly" },
    ],
    migrations: {},
  });
  const refused = await project.pgstack("preview", "self");
  assert.notEqual(refused.code, 0);
  assert.match(refused.output, /expected no role "odd" on the server/);
});

test("an admin who is no superuser takes over a database in the same way", async () => {
  await sql(cluster.superuser, "CREATE ROLE manager LOGIN CREATEDB CREATEROLE PASSWORD 'manager pw'");
  const manager = { ...cluster.admin, user: "manager", password: "manager pw" };
  await sql(
    manager,
    "CREATE ROLE shop LOGIN PASSWORD 'shop pw'",
    "CREATE ROLE clerk LOGIN PASSWORD 'clerk pw'",
    "GRANT shop TO manager",
    "CREATE DATABASE shop OWNER shop",
  );
  const owner = { ...cluster.admin, user: "shop", password: "shop pw", database: "shop" };
  await sql(
    owner,
    "CREATE TABLE games (id int)",
    "CREATE TABLE of_superuser (id int)",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk",
  );
  const url = `postgresql://manager:manager%20pw@${manager.host}:${manager.port}/shop`;
  await done(project.pgstack("adopt", "--url", url, "--stack", "managed"));
  await done(project.pgstack("up", "managed", "--yes", "--skip-preview"));
  takeCharge("managed", { migrations: { baseline: "20240101000000_games", adopt: true } });
  const log = await done(project.pgstack("up", "managed", "--yes", "--skip-preview"));
  assert.match(log, /recorded 1 migrations? as applied/);
  await sql({ ...owner, user: "clerk", password: "clerk pw" }, "TABLE games", "TABLE plays");
  await done(project.pgstack("preview", "managed", "--expect-no-changes"));
});

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ReviewedRole } from "../../runner/config/role-declaration.ts";
import { type ConnectionSettings, connectionFromUrl } from "../../runner/postgres/connection.ts";
import { checkRights } from "../../runner/roles/review/preview.ts";
import { sql } from "../support/databases.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let project: TestProject;
let cluster: ThrowawayCluster;
/** As a managed service gives it: makes roles and databases, and is no superuser. */
let managed: ConnectionSettings;

before(async () => {
  [project, cluster] = [createProject(), await startThrowawayCluster({ admin: "superuser" })];
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  const users =
    "-- migrate: up\nCREATE TABLE users (id serial, tags hstore);\n-- migrate: down\nDROP TABLE users;\n";
  project.write("migrations/20240101000000_users.sql", users);
  await sql(cluster.superuser, "CREATE ROLE managed LOGIN CREATEDB CREATEROLE PASSWORD 'pw'");
  managed = { ...cluster.admin, user: "managed", password: "pw" };
  await sql(managed, "CREATE ROLE team");
});
after(async () => {
  await project.close();
  await cluster.close();
});

function configure(roles: readonly object[], extensions: readonly string[] = ["hstore"]): void {
  const { host, port, sslMode } = cluster.admin;
  project.configure("managed", {
    instance: { kind: "existing", host, port, adminUser: "managed", sslMode },
    adminPassword: "pw",
    database: { name: "app", owner: "app_owner", schemas: ["public", "stats"], extensions },
    protect: false,
    roles,
  });
}

const up = (roles: readonly object[]) => {
  configure(roles);
  return done(project.pgstack("up", "managed", "--yes", "--skip-preview"));
};
const as = async (role: string) => {
  const { urls } = (await project.outputs("managed")) as { urls: Record<string, string> };
  return connectionFromUrl(urls[role] as string, {});
};
const reader = { name: "reader", access: "readonly", statementTimeout: "30s" };
const writer = { name: "writer", access: "readwrite", schemas: ["public"], memberOf: ["team"] };
const migrator = { name: "migrator", access: "readwrite", memberOf: ["app_owner"] };

test("what the admin cannot do is said at preview and at up, all at once, and nothing is made", async () => {
  configure([{ ...reader, memberOf: ["postgres", "nobody"] }], ["hstore", "file_fdw", "no_such_thing"]);
  for (const words of [["up", "--yes", "--skip-preview"], ["preview"]]) {
    const [command = "", ...flags] = words;
    const { code, output } = await project.pgstack(command, "managed", ...flags);
    assert.equal(code, 1, output);
    for (const fault of [
      /"file_fdw" is not a trusted extension.*CREATE EXTENSION "file_fdw"/,
      /"no_such_thing" is not among the extensions/,
      /"managed" may not make "reader" a member of "postgres"/,
      /"nobody", which is neither a role of this stack nor of the server/,
    ])
      assert.match(output, fault);
  }
  const made =
    "SELECT rolname FROM pg_roles WHERE rolname IN ('app_owner', 'reader') UNION SELECT datname FROM pg_database";
  assert.deepEqual(
    await sql(cluster.superuser, `${made} EXCEPT VALUES ('postgres'), ('template0'), ('template1')`),
    [],
  );
});

test("a stack comes up by that admin, changes and stays unchanged, and the admin has no rights by any role of it", async () => {
  await up([reader, migrator]);
  await sql(await as("migrator"), "CREATE TABLE stats.of_migrator (id int)");
  await sql(await as("reader"), "TABLE users", "TABLE stats.of_migrator");
  await up([{ ...reader, access: "readwrite", passwordVersion: 2 }, writer, migrator]);
  await sql(await as("reader"), "INSERT INTO users DEFAULT VALUES");
  await sql(await as("writer"), "DELETE FROM users");
  for (const role of ["reader", "writer", "migrator"])
    assert.deepEqual(await sql(await as(role), "SELECT 'a => 1'::hstore -> 'a' AS a"), [{ a: "1" }], role);
  await assert.rejects(
    sql(await as("writer"), "TABLE stats.of_migrator"),
    /permission denied for schema stats/,
  );
  await done(project.pgstack("refresh", "managed", "--yes", "--skip-preview"));
  await done(project.pgstack("preview", "managed", "--expect-no-changes"));
  await up([writer]);
  const lent =
    "SELECT rolname FROM pg_roles WHERE rolname <> 'managed' AND pg_has_role('managed', oid, 'USAGE')";
  assert.deepEqual(await sql(cluster.superuser, lent), []);
  const [connect] = await sql(
    cluster.superuser,
    "SELECT has_database_privilege('pg_monitor', 'app', 'CONNECT') AS open",
  );
  assert.deepEqual(connect, { open: false });
});

const request = (more: object = {}, roles: readonly ReviewedRole[] = []) => ({
  database: { name: "app", owner: "app_owner", extensions: [], ownerByAdmin: false, ...more },
  rights: { owner: "app_owner", creators: [], roles },
  leaving: [],
});
const declared = (role: string, more: Partial<ReviewedRole> = {}): ReviewedRole => ({
  ...{ role, access: "readonly", schemas: ["public"], allSchemas: true, exclude: [], memberOf: [] },
  ...more,
});

test("objects and roles that the admin may not act for are named, until they are excluded or given away", async () => {
  const app = { ...cluster.admin, database: "app" };
  await sql(app, "CREATE TABLE of_superuser (id int)");
  await sql(cluster.superuser, "CREATE ROLE stranger LOGIN SUPERUSER");
  const check = async (...roles: ReviewedRole[]) => (await checkRights(managed, request({}, roles))).refusals;
  assert.match(
    (await check(declared("fresh"))).join("\n"),
    /may not act for "postgres".*"public"\."of_superuser".*exclude/s,
  );
  assert.deepEqual(await check(declared("fresh", { exclude: ["of_superuser"] })), []);
  assert.match(
    (await check(declared("stranger"))).join("\n"),
    /may not change role "stranger"; that is a superuser's/,
  );
  await sql(app, "ALTER TABLE of_superuser OWNER TO app_owner");
  assert.deepEqual(await check(declared("fresh")), []);
  const adopted = await checkRights(managed, request({ ownerByAdmin: true }));
  assert.match(
    adopted.refusals.join("\n"),
    /may not become it.*pgstack:passwords.*GRANT "app_owner" TO "managed"/s,
  );
});

test("an admin without CREATEDB, CREATEROLE or a way in is told which it needs", async () => {
  await sql(cluster.superuser, "CREATE ROLE plain LOGIN PASSWORD 'pw'");
  const plain = { ...managed, user: "plain" };
  const refusals = async (name: string) =>
    (await checkRights(plain, request({ name }, [declared("fresh")]))).refusals;
  const elsewhere = (await refusals("none")).join("\n");
  assert.match(elsewhere, /"plain" has no CREATEDB/);
  assert.match(elsewhere, /"plain" has no CREATEROLE to make "fresh"/);
  assert.match(elsewhere, /may not act for "app_owner"/);
  assert.match(
    (await refusals("app")).join("\n"),
    /may not connect to "app".*GRANT CONNECT, CREATE ON DATABASE/,
  );
});

test("that admin destroys it all", async () => {
  await done(project.pgstack("destroy", "managed", "--yes", "--skip-preview"));
  const left = "SELECT rolname FROM pg_roles WHERE rolname IN ('app_owner', 'reader', 'writer', 'migrator')";
  assert.deepEqual(await sql(cluster.superuser, left), []);
});

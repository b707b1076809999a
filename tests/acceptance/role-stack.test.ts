import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectionFromUrl } from "../../runner/postgres/connection.ts";
import { sql } from "../support/databases.ts";
import { instanceOf } from "../support/managed-service.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

const migrations = {
  "20240101000000_users.sql":
    "-- migrate: up\nCREATE TABLE users (id serial, email text, name text);\n-- migrate: down\nDROP TABLE users;\n",
  "20240102000000_games.sql":
    "-- migrate: up\nCREATE SCHEMA stats; CREATE TABLE stats.games (id int);\n-- migrate: down\nDROP SCHEMA stats CASCADE;\n",
};
const given = `@:/% '" space#?&=é`;

let project: TestProject;
let cluster: ThrowawayCluster;

before(async () => {
  [project, cluster] = [
    createProject(),
    await startThrowawayCluster({ settings: { log_statement: "all", timezone: "Asia/Tokyo" } }),
  ];
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  for (const [name, text] of Object.entries(migrations)) project.write(`migrations/${name}`, text);
});
after(async () => {
  await project.close();
  await cluster.close();
});

function configure(roles: readonly object[]): void {
  const { password: adminPassword } = cluster.admin;
  project.configure("roles", {
    instance: instanceOf(cluster.admin),
    adminPassword,
    database: { name: "a=b", owner: "My-Own er" },
    ...(roles.includes(writer) && { passwords: { "given one": given } }),
    protect: false,
    roles,
  });
}

const up = (roles: readonly object[]) => {
  configure(roles);
  return done(project.pgstack("up", "roles", "--yes", "--skip-preview"));
};
const unchanged = () => done(project.pgstack("preview", "roles", "--expect-no-changes"));
const urls = async () => (await project.outputs("roles")).urls as Record<string, string>;
const as = async (role: string) => connectionFromUrl((await urls())[role] as string, {});

const admin = () => ({ ...cluster.superuser, database: "a=b" });
const denied = { message: /permission denied/ };
const reader = { name: "reader", access: "readonly", connectionLimit: 5, statementTimeout: "30s" };
const writer = {
  ...{ name: "given one", access: "readwrite", validUntil: "2040-01-31T00:00:00Z" },
  idleInTransactionTimeout: "1min",
};

test("roles come up with what migrations made, by any password, and stay unchanged", async () => {
  await up([reader, writer]);
  await sql(await as("given one"), "INSERT INTO users (email) VALUES ('a@b')");
  assert.deepEqual(await sql(await as("reader"), "SELECT email FROM users"), [{ email: "a@b" }]);
  assert.deepEqual(await sql(await as("reader"), "SELECT * FROM stats.games"), []);
  await sql(
    await as("My-Own er"),
    "CREATE TABLE by_hand AS SELECT 1 AS x; CREATE SCHEMA s; CREATE TABLE s.t ()",
  );
  assert.deepEqual(await sql(await as("reader"), "TABLE by_hand"), [{ x: 1 }]);
  assert.deepEqual(await sql(await as("reader"), "TABLE s.t"), []);
  const [settings] = await sql(admin(), "SELECT rolconfig FROM pg_roles WHERE rolname = 'given one'");
  assert.deepEqual(settings, { rolconfig: ["idle_in_transaction_session_timeout=60000"] });
  await unchanged();
  await done(project.pgstack("refresh", "roles", "--yes", "--skip-preview"));
  await unchanged();
});

test("no password is in the server's log, in state, or in what pulumi prints", async () => {
  const log = readFileSync(join(cluster.place.directory, "server.log"), "utf8");
  const state = await done(project.pulumi("stack", "export", "--stack", "roles"));
  const passwords = Object.values(await urls()).map((url) => connectionFromUrl(url, {}).password as string);
  for (const password of passwords)
    for (const spelling of [password, encodeURIComponent(password), password.replaceAll("'", "''")])
      for (const [where, text] of Object.entries({ log, state: state }))
        assert.ok(!text.includes(spelling), `a password is in the ${where}`);
});

test("while psql is open, the list of processes shows no password", async () => {
  const { password = "" } = await as("reader");
  const psql = project.start(
    "psql",
    "--stack",
    "roles",
    "--role",
    "reader",
    "--",
    "-c",
    "SELECT pg_sleep(60)",
  );
  const sleeping =
    "SELECT FROM pg_stat_activity WHERE usename = 'reader' AND query ~ 'pg_sleep' AND state = 'active'";
  try {
    await until(async () => (await sql(admin(), sleeping)).length > 0);
    const list = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
    assert.match(list, /psql -c SELECT pg_sleep\(60\)/);
    for (const secret of [password, cluster.admin.password as string]) assert.ok(!list.includes(secret));
  } finally {
    process.kill(-(psql.pid as number), "SIGKILL");
  }
});

test("a rotated password changes that role alone, and the old one stops working", async () => {
  const old = await as("reader");
  const output = await up([{ ...reader, passwordVersion: 2 }, writer]);
  assert.match(output, /2 updated/); // the password and the role: another way to connect is no reason to run anything again
  await assert.rejects(sql(old, "SELECT"), /password authentication failed/);
  await sql(await as("reader"), "SELECT");
});

test("readonly becomes readwrite and readonly again; exclusions hold", async () => {
  const rotated = { ...reader, passwordVersion: 2 };
  await up([{ ...rotated, access: "readwrite" }, writer]);
  await sql(await as("reader"), "INSERT INTO users (email) VALUES ('c@d')");
  await up([{ ...rotated, exclude: ["users.email", "stats.*"] }, writer]);
  await assert.rejects(sql(await as("reader"), "BEGIN READ WRITE; INSERT INTO users DEFAULT VALUES"), denied);
  await assert.rejects(sql(await as("reader"), "SELECT * FROM users"), denied);
  await assert.rejects(sql(await as("reader"), "TABLE stats.games"), denied);
  assert.equal((await sql(await as("reader"), "SELECT id, name FROM users")).length, 2);
  await unchanged();
});

test("the matrix ends with 3 when rights differ, and psql opens as any role", async () => {
  const same = await project.pgstack("roles", "--stack", "roles");
  assert.equal(same.code, 0, same.output);
  await sql(admin(), "GRANT SELECT ON users TO reader");
  const matrix = await project.pgstack("roles", "--stack", "roles");
  assert.equal(matrix.code, 3, matrix.output);
  assert.match(matrix.stdout, /\+ reader: surplus SELECT on table public\.users/);
  const command = ["--", "-Atc", "SELECT current_user, count(*) FROM by_hand"];
  const answer = await project.pgstack("psql", "--stack", "roles", "--role", "given one", ...command);
  assert.equal(answer.stdout, "given one|1\n", answer.output);
});

test("rights that someone changed by hand show in a preview, and the next update mends and proves them", async () => {
  const roles = [{ ...reader, passwordVersion: 2, exclude: ["users.email"] }, writer];
  await up(roles);
  await unchanged();
  await sql(admin(), 'GRANT SELECT ON users TO reader; REVOKE SELECT ON stats.games FROM "given one"');
  const preview = await done(project.pgstack("preview", "roles"));
  assert.match(preview, /REVOKE SELECT ON TABLE "public"\."users" FROM "reader"/);
  for (const resource of ["roles-grants", "reader-probe", "given one-probe"])
    assert.match(preview, new RegExp(`~ .*Command ${resource} update`));
  await up(roles);
  await unchanged();
  assert.equal((await project.pgstack("roles", "--stack", "roles")).code, 0);
});

test("an update that changes nothing proves every role all the same, and fails where one can do too much", async () => {
  await sql(admin(), "GRANT SELECT ON users TO PUBLIC");
  await unchanged();
  const failed = await project.pgstack("up", "roles", "--yes", "--skip-preview");
  assert.equal(failed.code, 1, failed.output);
  assert.match(failed.output, /"reader" is declared readonly.* but it\s+can read public\.users\.email/);
  for (const url of Object.values(await urls()))
    assert.ok(!failed.output.includes(connectionFromUrl(url, {}).password as string));
  await sql(admin(), "REVOKE SELECT ON users FROM PUBLIC");
  assert.match(await done(project.pgstack("up", "roles", "--yes", "--skip-preview")), /unchanged/);
});

test("a role that owns things is renamed and dropped in one update; what it owned goes to the owner", async () => {
  await sql(admin(), 'GRANT CREATE ON SCHEMA public TO "given one"');
  await sql(await as("given one"), "CREATE TABLE mine AS SELECT 1 AS x");
  const output = await up([{ ...reader, name: "reader2" }]);
  assert.match(output, /- .*given one-role deleted/);
  const owners = await sql(admin(), "SELECT tableowner FROM pg_tables WHERE tablename = 'mine'");
  assert.deepEqual(owners, [{ tableowner: "My-Own er" }]);
  assert.deepEqual(await sql(await as("reader2"), "TABLE mine"), [{ x: 1 }]);
  assert.deepEqual(await sql(admin(), "SELECT FROM pg_roles WHERE rolname IN ('reader', 'given one')"), []);
});

test("a role that another database holds stays, with a refusal that names it", async () => {
  await sql(cluster.superuser, "CREATE DATABASE elsewhere");
  await sql(
    { ...cluster.superuser, database: "elsewhere" },
    "CREATE TABLE t (); ALTER TABLE t OWNER TO reader2",
  );
  configure([]);
  const refused = await project.pgstack("up", "roles", "--yes", "--skip-preview");
  assert.equal(refused.code, 1);
  assert.match(refused.output, /owns 1 object in database "elsewhere"/);
  await sql(cluster.superuser, "DROP DATABASE elsewhere");
});

test("destroy leaves no role behind", async () => {
  await done(project.pgstack("destroy", "roles", "--yes", "--skip-preview"));
  assert.deepEqual(await sql(cluster.superuser, "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'"), [
    { rolname: "postgres" },
  ]);
});

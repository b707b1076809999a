import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort } from "../../runner/postgres/cluster.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { serverProcess } from "../../runner/postgres/pid-file.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { runs, until } from "../support/wait.ts";

let project: TestProject;
let port: number;

function configure(changes: Record<string, unknown> = {}): void {
  const database = { name: "app", owner: "app_owner" };
  project.configure("dev", { instance: { kind: "local", port }, database, ...changes });
}

function writeMigration(name: string, up: string, down: string): void {
  project.write(`migrations/${name}.sql`, `-- migrate: up\n${up};\n-- migrate: down\n${down};\n`);
}

function writeTable(name: string): void {
  const table = name.slice(3);
  writeMigration(name, `CREATE TABLE ${table} AS SELECT 1 AS id`, `DROP TABLE ${table}`);
}

const administrator = (database: string): ConnectionSettings => ({
  host: "127.0.0.1",
  port,
  user: "postgres",
  password: project.read(".pgstack/dev/admin-password"),
  database,
  sslMode: "disable",
});

async function query(sql: string, database = "app"): Promise<unknown[]> {
  const { rows } = await withClient(administrator(database), (client) =>
    client.query({ text: sql, rowMode: "array" }),
  );
  return rows.map((row) => row[0]);
}

const history = () => query("SELECT name FROM pgstack.migrations ORDER BY position");
const tables = () => query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");

before(async () => {
  project = createProject();
  port = await freePort();
  configure();
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  for (const name of ["01_a", "02_b", "03_c", "04_d"]) writeTable(name);
  assert.doesNotMatch(await done(project.pgstack("up")), /warning/);
});

after(() => project.close());

test("an applied file that was edited is shown by preview, and up refuses it and runs nothing", async () => {
  writeMigration("02_b", "CREATE TABLE b AS SELECT 2 AS id", "DROP TABLE b");
  writeMigration("05_e", "DROP TABLE c", "SELECT 1");
  const { code, output: preview } = await project.pgstack("preview");
  assert.equal(code, 1);
  assert.match(preview, /1 to apply: 05_e/);
  assert.match(preview, /migrations\/05_e\.sql:2: drop-table on "c"/);
  assert.match(preview, /error: Migration 02_b was edited after it was applied/);
  const refused = await project.pgstack("up", "--skip-preview");
  assert.equal(refused.code, 1);
  assert.match(
    refused.output,
    /the database has checksum [0-9a-f]{12}, migrations\/02_b\.sql has [0-9a-f]{12}/,
  );
  assert.match(refused.output, /put the old text back.*\.\/pgstack repair 02_b.*Nothing was run/s);
  assert.deepEqual(await tables(), ["a", "b", "c", "d"]);
  assert.deepEqual(await query("SELECT id FROM b"), [1]);
  writeTable("02_b");
  project.remove("migrations/05_e.sql");
});

test("a server that does not answer is a warning of a preview, and no change", async () => {
  const pid = serverProcess({ directory: join(project.directory, ".pgstack/dev") }) ?? assert.fail("it runs");
  process.kill(pid, "SIGKILL");
  await until(() => !runs(pid));
  const output = await done(project.pulumi("preview", "--stack", "dev", "--expect-no-changes"));
  assert.match(output, /warning: The database could not be asked what is applied.*ECONNREFUSED/s);
});

test("a baseline that moves forward runs no down script, though the same update reverts, with a new password", async () => {
  configure({ migrations: { baseline: "02_b" }, passwords: { app_owner: "another one" } });
  const preview = await done(project.pgstack("preview"));
  for (const name of ["01_a", "02_b"]) assert.match(preview, new RegExp(`- .*migration-${name} +delete`));
  await done(project.pgstack("downgrade", "-1", "--stack", "dev", "--skip-preview"));
  assert.match(project.read("Pulumi.dev.yaml"), /to: 03_c/);
  assert.deepEqual(await tables(), ["a", "b", "c"]);
  assert.deepEqual(await history(), ["01_a", "02_b", "03_c"]);
  await done(project.pgstack("preview", "--expect-no-changes"));
});

test("a database that was made again behind the stack's back gets its migrations again", async () => {
  await query("DROP DATABASE app WITH (FORCE)", "postgres");
  await query("CREATE DATABASE app OWNER app_owner", "postgres");
  const status = await project.pgstack("status", "--stack", "dev");
  assert.equal(status.code, 3);
  assert.match(status.stdout, /01_a +missing/);
  assert.match(await done(project.pgstack("preview")), /3 to apply: 01_a, 02_b, 03_c/);
  await done(project.pgstack("up", "--skip-preview"));
  assert.deepEqual(await tables(), ["a", "b", "c"]);
  await done(project.pgstack("preview", "--expect-no-changes"));
});

test("a database that is gone is told by preview, and up makes it again", async () => {
  await query("DROP DATABASE app WITH (FORCE)", "postgres");
  assert.match(
    await done(project.pgstack("preview")),
    /warning: The stack has made this database, and it is gone\..*database "app" does not exist/s,
  );
  await done(project.pgstack("up", "--skip-preview"));
  assert.deepEqual(await history(), ["01_a", "02_b", "03_c"]);
  await done(project.pgstack("preview", "--expect-no-changes"));
});

test("upgrade of a stack sets its target and applies what is pending, though the database is gone", async () => {
  const behind = await project.pgstack("upgrade", "02", "--stack", "dev");
  assert.equal(behind.code, 2);
  assert.match(behind.output, /"02" is older than what is applied: use \.\/pgstack downgrade/);
  await query("DROP DATABASE app WITH (FORCE)", "postgres");
  await done(project.pgstack("upgrade", "--stack", "dev", "--skip-preview"));
  assert.match(project.read("Pulumi.dev.yaml"), /to: latest/);
  assert.deepEqual(await history(), ["01_a", "02_b", "03_c", "04_d"]);
  await done(project.pgstack("preview", "--expect-no-changes"));
});

import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type ConnectionSettings, connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { instanceOf } from "../support/managed-service.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

const users =
  "-- migrate: up\nCREATE TABLE users (id serial PRIMARY KEY, email text);\n-- migrate: down\nDROP TABLE users;\n";
const badges =
  "-- migrate: up\nCREATE TABLE badges (id int, owner int REFERENCES users);\n-- migrate: down\nDROP TABLE badges;\n";

let project: TestProject;
let cluster: ThrowawayCluster;
let adminPassword: string;

before(async () => {
  [project, cluster] = [createProject(), await startThrowawayCluster()];
  adminPassword = cluster.admin.password ?? "";
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  project.write("migrations/20240101000000_users.sql", users);
});
after(async () => {
  await project.close();
  await cluster.close();
});

const dump = { label: "first", directory: "dumps", keep: 2, onDelete: "delete" };
const reader = { name: "reader", access: "readonly" };

function configure(keys: Record<string, unknown>): void {
  project.configure("copy", {
    instance: instanceOf(cluster.admin),
    ...{ adminPassword, database: { name: "app", owner: "app" }, roles: [reader], protect: false },
    ...keys,
  });
}

const up = (keys: Record<string, unknown>) => {
  configure(keys);
  return done(project.pgstack("up", "copy", "--yes", "--skip-preview"));
};
const unchanged = () => done(project.pgstack("preview", "copy", "--expect-no-changes"));
const dumps = () => readdirSync(join(project.directory, "dumps")).filter((name) => name.endsWith(".dump"));

async function sql(settings: ConnectionSettings, text: string): Promise<Record<string, unknown>[]> {
  return withClient(settings, async (client) => (await client.query(text)).rows);
}
/** Whose password may have been rotated. */
const superuser = () =>
  cluster.superuser.user === cluster.admin.user
    ? { ...cluster.superuser, password: adminPassword }
    : cluster.superuser;
const admin = (text: string) => sql({ ...superuser(), database: "app" }, text);
async function as(role: string, text: string): Promise<Record<string, unknown>[]> {
  const { urls } = (await project.outputs("copy")) as { urls: Record<string, string> };
  return sql(connectionFromUrl(urls[role] ?? "", {}), text);
}
const owners = () =>
  admin(
    `SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );

test("a label makes a dump; a rotated password and other inputs make none; another label makes another", async () => {
  await up({ dump });
  await admin("INSERT INTO users (email) SELECT g || '@example.org' FROM generate_series(1, 3) g");
  const report = (await project.outputs("copy")).dump as Record<string, unknown>;
  assert.deepEqual(
    [report.path, report.label, report.stack, report.leftOut],
    ["dumps/copy-first.dump", "first", "copy", []],
  );
  assert.match(String(report.sha256), /^[0-9a-f]{64}$/);
  for (const name of ["bytes", "tables", "rows", "seconds"])
    assert.equal(typeof report[name], "number", name);
  await admin("ALTER ROLE postgres PASSWORD 'rotated'");
  adminPassword = "rotated";
  assert.match(await up({ dump: { ...dump, jobs: 1, keep: 3 } }), /dump-database updated/);
  assert.deepEqual((await project.outputs("copy")).dump, report);
  assert.deepEqual(dumps(), ["copy-first.dump"]);
  await up({ dump: { ...dump, label: "second" } });
  assert.deepEqual(dumps(), ["copy-first.dump", "copy-second.dump"]);
  assert.equal(((await project.outputs("copy")).dump as { rows: number }).rows, 4);
});

test("a restore over rows is refused by preview, with what it would drop and the key that agrees", async () => {
  project.write("migrations/20240102000000_badges.sql", badges);
  await up({ dump: { ...dump, label: "third" } });
  assert.deepEqual(dumps(), ["copy-second.dump", "copy-third.dump"]);
  await admin("CREATE TABLE notes AS SELECT 1 AS x; ALTER TABLE notes OWNER TO app; TRUNCATE users CASCADE");
  const from = "dumps/copy-second.dump";
  configure({ dump: { ...dump, label: "third" }, restore: { from, sha256: "0".repeat(64) } });
  assert.match((await project.pgstack("preview", "copy")).output, /has the SHA-256 .*, expected was 0{64}/);
  configure({ dump: { ...dump, label: "third" }, restore: { from } });
  const refused = await project.pgstack("preview", "copy");
  assert.equal(refused.code, 1, refused.output);
  assert.match(refused.output, /TABLE public\.badges[\s\S]*TABLE public\.notes[\s\S]*rows of public\.notes/);
  assert.match(refused.output, /restore\.overwrite: true/);
});

const restore = { from: "dumps/copy-second.dump", overwrite: true, sanitize: "sanitize.sql" };

test("an agreed restore is foretold by preview; rows are sanitized, migrations catch up, grants hold", async () => {
  project.write("sanitize.sql", "UPDATE users SET email = 'user' || id");
  configure({ dump: { ...dump, label: "third" }, restore });
  const preview = await done(project.pgstack("preview", "copy"));
  assert.match(preview, /\+ .*restore-database/);
  assert.match(preview, /~ .*command:local:Command +migrations/);
  assert.match(preview, /It will lose.*TABLE public\.notes/);
  assert.match(preview, /migrations that the dump lacks: 20240102000000_badges/);
  assert.equal((await admin("SELECT * FROM notes")).length, 1);
  await done(project.pgstack("up", "copy", "--yes", "--skip-preview"));
  assert.deepEqual(await as("reader", "SELECT email FROM users ORDER BY id"), [
    { email: "user1" },
    { email: "user2" },
    { email: "user3" },
  ]);
  assert.deepEqual(await as("reader", "SELECT * FROM badges"), []);
  assert.deepEqual(await admin("SELECT to_regclass('notes') AS notes"), [{ notes: null }]);
  assert.deepEqual(await owners(), [{ tableowner: "app" }]);
  const report = (await project.outputs("copy")).restore as Record<string, unknown>;
  assert.deepEqual([report.path, report.tables, report.rows], ["dumps/copy-second.dump", 2, 4]);
  await unchanged();
});

test("neither a rotated password nor a restore by hand makes the stack restore again", async () => {
  await as("app", "INSERT INTO users (email) VALUES ('new')");
  await admin("ALTER ROLE postgres PASSWORD 'again'");
  adminPassword = "again";
  await up({ dump: { ...dump, label: "third" }, restore: { ...restore, jobs: 2, sanitize: undefined } });
  assert.equal((await as("reader", "SELECT FROM users")).length, 4);
  const byHand = await project.pgstack(
    "restore",
    join(project.directory, "dumps/copy-second.dump"),
    "--stack",
    "copy",
    "--overwrite",
    "--json",
  );
  assert.equal(byHand.code, 0, byHand.output);
  const { migrations, ...report } = JSON.parse(byHand.stdout);
  assert.deepEqual(migrations, { applied: ["20240102000000_badges"], head: "20240102000000_badges" });
  assert.equal(report.owner, "app");
  assert.deepEqual(await as("reader", "SELECT email FROM users WHERE id = 1"), [{ email: "1@example.org" }]);
  assert.deepEqual(await as("reader", "SELECT * FROM badges"), []);
  assert.deepEqual(await owners(), [{ tableowner: "app" }]);
  await unchanged();
});

test("backups lists what is there; destroy takes the dump that goes with its resource, and all but the others", async () => {
  const byHand = ["dump", "--stack", "copy", "--out", join(project.directory, "dumps/by-hand.dump")];
  assert.match(await done(project.pgstack(...byHand)), /by-hand\.dump: 4 tables, \d+ rows/);
  const list = await project.pgstack("backups", "--stack", "copy", "--json");
  assert.deepEqual(
    JSON.parse(list.stdout).backups.map((one: { label: string; state: string }) => [one.label, one.state]),
    [
      [null, "verified"],
      ["third", "verified"],
      ["second", "verified"],
    ],
  );
  await done(project.pgstack("destroy", "copy", "--yes", "--skip-preview"));
  assert.deepEqual(dumps(), ["by-hand.dump", "copy-second.dump"]);
  const left = await sql(
    superuser(),
    "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')",
  );
  assert.deepEqual(left, []);
});

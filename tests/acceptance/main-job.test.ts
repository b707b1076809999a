import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort } from "../../runner/postgres/cluster.ts";
import { connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { createProject, done, type TestProject } from "../support/project.ts";

let project: TestProject;
let port: number;

const readonlyRole = { name: "spellbot_readonly_user", access: "readonly", statementTimeout: "30s" };
const database = { name: "spellbot_dev", owner: "spellbot" };

function configure(changes: Record<string, unknown> = {}): void {
  project.configure("dev", {
    instance: { kind: "local", port },
    database,
    roles: [readonlyRole],
    ...changes,
  });
}

async function query(role: string, sql: string): Promise<Record<string, unknown>[]> {
  const { urls } = (await project.outputs("dev")) as { urls: Record<string, string> };
  return withClient(
    connectionFromUrl(urls[role] as string, {}),
    async (client) => (await client.query(sql)).rows,
  );
}

async function applied(): Promise<string[]> {
  const rows = await query("spellbot", "SELECT name FROM pgstack.migrations ORDER BY name");
  return rows.map(({ name }) => name as string);
}

const late = "migrations/20990101000000_add_badges.sql";

before(async () => {
  project = createProject();
  port = await freePort();
  configure();
});

after(() => project.close());

test("up on nothing makes instance, database, roles and migrations, and prints outputs", async () => {
  const output = await done(project.pgstack("up", "--skip-preview"));
  assert.match(output, /databaseUrl *: *\[secret\]/);
  assert.ok((await applied()).length >= 8);
  const [row] = await query("spellbot_readonly_user", "SELECT count(*)::int AS guilds FROM guilds");
  assert.equal(row?.guilds, 0);
  await assert.rejects(
    query("spellbot_readonly_user", "INSERT INTO guilds DEFAULT VALUES"),
    /read-only|permission/,
  );
});

test("a second up, a refresh and a preview after it change nothing", async () => {
  for (const command of ["up", "refresh"])
    assert.doesNotMatch(
      await done(project.pgstack(command)),
      /[1-9]\d* (to )?(create|update|delete|replace)/,
    );
  await done(project.pgstack("preview", "--expect-no-changes"));
});

test("status and roles find nothing to do on a stack that is up to date", async () => {
  assert.match(await done(project.pgstack("status", "--stack", "dev")), /0 pending/);
  assert.match(await done(project.pgstack("roles", "--stack", "dev")), /spellbot_readonly_user +readonly/);
});

test("no password is in state, preview or up in clear", async () => {
  const { urls } = (await project.outputs("dev")) as { urls: Record<string, string> };
  const state = project.read(".pgstack/backend/.pulumi/stacks/pgstack/dev.json");
  const shown =
    (await done(project.pgstack("preview", "--diff"))) + (await done(project.pgstack("up", "--diff")));
  const admin = project.read(".pgstack/dev/admin-password");
  for (const secret of [
    admin,
    ...Object.values(urls).map((url) => decodeURIComponent(new URL(url).password)),
  ])
    for (const spelling of [secret, encodeURIComponent(secret)])
      assert.ok(!`${state}${shown}`.includes(spelling), "a password stands in clear");
});

test("a new migration is shown with its SQL, applied, and readable by the readonly role at once", async () => {
  project.write(
    late,
    "-- migrate: up\nCREATE TABLE badges (id int PRIMARY KEY);\n-- migrate: down\nDROP TABLE badges;\n",
  );
  const preview = await done(project.pgstack("preview", "--diff"));
  assert.match(preview, /\+ .*command:local:Command/);
  assert.match(preview, /migration-20990101000000_add_badges/);
  assert.match(preview, /CREATE TABLE badges/);
  await done(project.pgstack("up", "--skip-preview"));
  assert.deepEqual(await query("spellbot_readonly_user", "SELECT * FROM badges"), []);
});

test("a migration whose file is gone is shown with a minus, and reverted from what state and database carry", async () => {
  project.remove(late);
  assert.match(await done(project.pgstack("preview")), /- +.*migration-20990101000000_add_badges +delete/);
  await done(project.pgstack("up", "--skip-preview"));
  assert.deepEqual(await query("spellbot", "SELECT to_regclass('badges') AS badges"), [{ badges: null }]);
  await done(project.pgstack("preview", "--expect-no-changes"));
});

test("migrations.to goes back newest first, and forward again", async () => {
  const all = await applied();
  configure({ migrations: { to: all.at(-3) } });
  assert.match(await done(project.pgstack("preview")), /2 to delete/);
  await done(project.pgstack("up", "--skip-preview"));
  assert.deepEqual(await applied(), all.slice(0, -2));
  configure();
  await done(project.pgstack("up", "--skip-preview"));
  assert.deepEqual(await applied(), all);
  await done(project.pgstack("preview", "--expect-no-changes"));
});

test("a role that is added, changed and removed shows as such", async () => {
  const analyst = { name: "Ana-Lyst ü", access: "readonly" };
  configure({ roles: [readonlyRole, analyst] });
  assert.match(await done(project.pgstack("preview")), /\+ .*postgresql:index:Role +Ana-Lyst ü/);
  await done(project.pgstack("up", "--skip-preview"));
  await query("Ana-Lyst ü", "SELECT * FROM guilds");
  configure({ roles: [readonlyRole, { ...analyst, connectionLimit: 3 }] });
  assert.match(await done(project.pgstack("preview", "--diff")), /connectionLimit: +-1 => 3/);
  configure();
  assert.match(await done(project.pgstack("preview")), /- .*postgresql:index:Role +Ana-Lyst ü/);
  await done(project.pgstack("up", "--skip-preview"));
  assert.deepEqual(await query("spellbot", "SELECT 1 FROM pg_roles WHERE rolname = 'Ana-Lyst ü'"), []);
});

test("a failing migration fails the update with PostgreSQL's message, leaves nothing, and the next up continues", async () => {
  project.write(
    late,
    "-- migrate: up\nCREATE TABLE badges (id int);\nSELECT 1/0;\n-- migrate: down\nDROP TABLE badges;\n",
  );
  const failure = await project.pgstack("up");
  assert.equal(failure.code, 1);
  assert.match(failure.output, /division by zero/);
  assert.match(failure.output, /20990101000000_add_badges/);
  assert.deepEqual(await query("spellbot", "SELECT to_regclass('badges') AS badges"), [{ badges: null }]);
  project.write(late, "-- migrate: up\nCREATE TABLE badges (id int);\n-- migrate: down\nSELECT 1/0;\n");
  await done(project.pgstack("up", "--skip-preview"));
  await done(project.pgstack("preview", "--expect-no-changes"));
});

test("destroy runs no down script, and leaves no server and no files", async () => {
  await done(project.pgstack("destroy"));
  assert.ok(!existsSync(join(project.directory, ".pgstack/dev")));
});

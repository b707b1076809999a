// What an update would lose, or stop at, is refused before anything changes, and a preview fails with the same words.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { sql } from "../support/databases.ts";
import { instanceOf } from "../support/managed-service.ts";
import { createProject, done, type Outcome, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let project: TestProject;
let cluster: ThrowawayCluster;
let shop: ConnectionSettings;

const base = {
  database: { name: "shop", owner: "shop_owner" },
  roles: [{ name: "shop_reader", access: "readonly" }],
  dump: { label: "before-drop" },
  protect: true,
};

/** A stack on the cluster; the password's form does not matter here, so that it stands in the file. */
function configure(stack: string, changes: Record<string, unknown> = {}): void {
  const { password } = cluster.admin;
  project.configure(stack, {
    ...base,
    instance: instanceOf(cluster.admin),
    adminPassword: password,
    ...changes,
  });
}

function writeMigration(name: string, up: string, down: string): void {
  project.write(`migrations/${name}.sql`, `-- migrate: up\n${up};\n-- migrate: down\n${down};\n`);
}

before(async () => {
  [project, cluster] = [createProject(), await startThrowawayCluster()];
  shop = { ...cluster.superuser, database: "shop" };
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  writeMigration("01_big", "CREATE TABLE big AS SELECT generate_series(1, 1000) AS id", "DROP TABLE big");
  writeMigration("02_note", "CREATE TABLE note AS SELECT 'kept' AS text", "DROP TABLE note");
  configure("prod");
  await done(project.pulumi("stack", "init", "prod"));
  await done(project.pgstack("up", "prod", "--yes", "--skip-preview"));
});

after(async () => {
  await project.close();
  await cluster.close();
});

const preview = (...flags: string[]) =>
  project.pulumi("preview", "--stack", "prod", "--non-interactive", ...flags);
const update = () => project.pulumi("up", "--stack", "prod", "--yes", "--skip-preview", "--non-interactive");
const tables = () =>
  sql(
    shop,
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
  );
const loginRoles = () =>
  sql(shop, "SELECT rolname, rolpassword FROM pg_authid WHERE rolname ~ '^shop_' ORDER BY 1");

/** The sentence, and nothing of what a program prints for a bug. */
function assertRefused({ code, output }: Outcome, words: RegExp): void {
  assert.notEqual(code, 0, output);
  assert.match(output, words);
  assert.doesNotMatch(output, /^ +at |serializing|RunError|unhandled|still active/m);
  assert.ok(!output.includes("\u001b["), "colour codes");
}

/** Preview and update say the same, and the database is as it was. */
async function assertBothRefuse(words: RegExp): Promise<void> {
  const [before, roles] = [await tables(), await loginRoles()];
  assertRefused(await preview(), words);
  assertRefused(await update(), words);
  assert.deepEqual([await tables(), await loginRoles()], [before, roles]);
}

test("a protected stack that is destroyed without a look loses nothing: the first step refuses", async () => {
  const before = await loginRoles();
  const { code, output } = await project.pulumi("destroy", "--stack", "prod", "--yes", "--skip-preview");
  assert.notEqual(code, 0);
  assert.match(output, /Protection protection/);
  assert.match(output, /protected/);
  assert.deepEqual(await loginRoles(), before);
  assert.equal((await tables()).length, 2);
  await done(preview("--expect-no-changes"));
});

test("of a protected stack a missing file alone reverts nothing; a lowered migrations.to does", async () => {
  const file = project.read("migrations/02_note.sql");
  project.remove("migrations/02_note.sql");
  await assertBothRefuse(/not among the files: 02_note\..*put the file back.*migrations\.to.*downgrade REV/s);
  configure("prod", { migrations: { to: "01_big" } });
  await done(update());
  assert.deepEqual((await tables()).flatMap(Object.values), ["big"]);
  project.write("migrations/02_note.sql", file);
  configure("prod");
  await done(update());
});

test("a stack past its import is not imported again, and nothing is reverted", async () => {
  configure("prod", { adopt: { importOnly: true, roles: ["shop_owner", "shop_reader"] } });
  await assertBothRefuse(/adopt\.importOnly: expected false, since this stack is past its import/);
  configure("prod");
});

test("another database or owner of the same stack is refused, with what happens to the old one", async () => {
  configure("prod", { database: { name: "shop2", owner: "shop_owner2" } });
  await assertBothRefuse(
    /database\.name: expected "shop".*found "shop2".*another, empty database.*cutover\.from.*restore\.from.*destroy.*database\.owner: expected "shop_owner"/s,
  );
  configure("prod");
});

test("an edited and a late migration are refused together", async () => {
  const file = project.read("migrations/01_big.sql");
  writeMigration("01_big", "CREATE TABLE big AS SELECT 2 AS id", "DROP TABLE big");
  writeMigration("00_late", "CREATE TABLE late (id int)", "DROP TABLE late");
  await assertBothRefuse(/01_big was edited.*(?:Older than what is applied.*00_late)/s);
  project.write("migrations/01_big.sql", file);
  project.remove("migrations/00_late.sql");
});

test("a wrong admin password fails a preview; a server that does not answer fails only a strict one", async () => {
  configure("prod", { adminPassword: "wrong" });
  await assertBothRefuse(/password authentication failed/);
  const away = { kind: "existing", host: "127.0.0.1", port: 1, sslMode: "disable" };
  configure("prod", { instance: away });
  const open = await preview();
  assert.equal(open.code, 0, open.output);
  assert.match(open.output, /warning: .*ECONNREFUSED/s);
  process.env.PGSTACK_STRICT = "true";
  const strict = await preview().finally(() => delete process.env.PGSTACK_STRICT);
  assertRefused(strict, /ECONNREFUSED/);
  assertRefused(await project.pgstack("preview", "prod", "--strict"), /ECONNREFUSED/);
  configure("prod");
});

test("a role that another database holds is refused before anything is dropped", async () => {
  await sql(cluster.superuser, "CREATE DATABASE archive");
  const archive = { ...cluster.superuser, database: "archive" };
  await sql(archive, "CREATE TABLE kept ()", "ALTER TABLE kept OWNER TO shop_reader");
  configure("prod", { roles: [] });
  await assertBothRefuse(
    /"shop_reader" cannot be dropped: it owns 1 object in database "archive".*REASSIGN OWNED BY "shop_reader"/,
  );
  await sql(archive, "DROP TABLE kept");
  configure("prod");
});

test("what somebody else has made already is refused, all of it at once", async () => {
  const extensions = ["no_such_extension"];
  configure("other", { database: { name: "shop", owner: "shop_owner", extensions } });
  await done(project.pulumi("stack", "init", "other"));
  const words = [
    /database\.extensions: "no_such_extension" is not among/,
    /database\.name: expected no database "shop" on the server.*adopt/,
    /expected no role "shop_owner" on the server/,
    /expected no role "shop_reader" on the server/,
  ];
  for (const verb of [["preview"], ["up", "--yes", "--skip-preview"]]) {
    const outcome = await project.pulumi(...verb, "--stack", "other", "--non-interactive");
    for (const said of words) assertRefused(outcome, said);
  }
  assert.equal((await tables()).length, 2);
});

test("faults of the configuration are a list, without a stack or colours", async () => {
  configure("prod", { roles: [{ name: "x", access: "none" }], nonsense: 1 });
  await assertBothRefuse(/has 2 faults:\s+pgstack:nonsense: unknown key.*\s+pgstack:roles\.0\.access/s);
  configure("prod");
});

test("a dump is taken before the migrations of the same update", async () => {
  configure("prod", { dump: { label: "before-drop-2" } });
  writeMigration("03_drop", "DROP TABLE big", "CREATE TABLE big (id int)");
  await done(update());
  assert.deepEqual((await tables()).flatMap(Object.values), ["note"]);
  const { dump } = (await project.outputs("prod")) as { dump: { path: string; tables: number } };
  assert.match(dump.path, /before-drop-2/);
  assert.equal(dump.tables, 3, "big, note and the history of migrations");
});

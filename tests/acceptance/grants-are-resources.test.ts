import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionSettings, connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { sql } from "../support/databases.ts";
import { instanceOf } from "../support/managed-service.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let project: TestProject;
let cluster: ThrowawayCluster;

function migrate(name: string, up: string): void {
  project.write(`migrations/${name}.sql`, `-- migrate: up\n${up}\n-- migrate: down irreversible\n`);
}

before(async () => {
  [project, cluster] = [createProject(), await startThrowawayCluster()];
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  migrate(
    "20240101000000_tables",
    "CREATE TABLE users (id serial, email text); CREATE TABLE audit.log (id int);",
  );
  await sql(cluster.superuser, "CREATE ROLE reporting");
});
after(async () => {
  await project.close();
  await cluster.close();
});

const admin = () => ({ ...cluster.superuser, database: "app" });
const metabase = { name: "metabase", access: "readonly", memberOf: ["reporting"] };
const writer = { name: "the-app", access: "readwrite", exclude: ["audit.*"] };

function configure(...roles: readonly object[]): void {
  const { password: adminPassword } = cluster.admin;
  project.configure("grants", {
    instance: instanceOf(cluster.admin),
    adminPassword,
    database: { name: "app", owner: "owner", schemas: ["public", "audit"] },
    roles,
    protect: false,
  });
}

const up = () => done(project.pgstack("up", "grants", "--yes", "--skip-preview"));
const preview = (...flags: string[]) => done(project.pgstack("preview", "grants", ...flags));
const unchanged = () => preview("--expect-no-changes");
const refreshed = () => done(project.pgstack("refresh", "grants", "--yes", "--skip-preview"));

interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly dependencies?: readonly string[];
}

async function exported(): Promise<{ deployment: { resources: StateResource[] } }> {
  return JSON.parse(await done(project.pulumi("stack", "export", "--stack", "grants")));
}

const isRight = ({ type }: StateResource) =>
  /^postgresql:index\/(grant|defaultPrivileges|grantRole):/.test(type);
const nameOf = ({ urn }: StateResource) => urn.slice(urn.lastIndexOf("::") + 2);

/** Asks as a role, a hundred times a second, whatever it is that must always work; counts the answers. */
async function polling(
  role: ConnectionSettings,
  statement: string,
  work: () => Promise<void>,
): Promise<number> {
  let [answers, over] = [0, false];
  const asking = withClient(role, async (client) => {
    for (; !over; await sleep(10)) {
      await client.query(statement);
      answers++;
    }
  });
  const working = work().finally(() => {
    over = true;
  });
  await Promise.all([asking, working]);
  return answers;
}

const urls = async () => (await project.outputs("grants")).urls as Record<string, string>;
const as = async (role: string) => connectionFromUrl((await urls())[role] as string, {});

/** The catalog row that a right is kept in, or the rows of a schema's objects of one type. */
function rowOf({ type, inputs: { objectType, schema, grantRole } }: StateResource): string {
  return JSON.stringify([type, objectType, schema, grantRole]);
}

test("a preview shows a right as a right, and those of one catalog row are in one chain", async () => {
  configure(metabase, writer);
  await done(project.pulumi("stack", "init", "grants"));
  const shown = await preview();
  for (const right of [
    "Grant metabase-connect-app",
    "Grant metabase-usage-audit",
    "Grant metabase-select-public",
  ])
    assert.match(shown, new RegExp(`\\+ .*postgresql:index:${right} create`));
  assert.match(shown, /\+ .*postgresql:index:GrantRole metabase-member-of-reporting create/);
  assert.match(shown, /\+ .*postgresql:index:DefaultPrivileges metabase-default-tables create/);
  assert.match(shown, /\+ .*postgresql:index:DefaultPrivileges the-app-default-functions-public create/);
  assert.match(shown, /\+ .*postgresql:index:Grant the-app-write-public create/);
  assert.doesNotMatch(shown, /the-app-(write|sequences|default-\w+)-audit/);
  await up();
  const rights = (await exported()).deployment.resources.filter(isRight);
  assert.ok(rights.length > 12);
  for (const ofRow of Object.values(Object.groupBy(rights, rowOf)))
    for (const [at, right] of (ofRow ?? []).entries()) {
      const urns = rights.map(({ urn }) => urn).filter((urn) => right.dependencies?.includes(urn));
      assert.deepEqual(urns, at === 0 ? [] : [ofRow?.[at - 1]?.urn], nameOf(right));
    }
});

test("a second preview and one after a refresh are clean, also after a migration that adds tables", async () => {
  await unchanged();
  await refreshed();
  await unchanged();
  migrate(
    "20240102000000_more",
    "CREATE TABLE games (id serial); CREATE VIEW seen AS TABLE games; CREATE TABLE audit.more ();",
  );
  const shown = await preview();
  assert.doesNotMatch(shown, /postgresql:index:(Grant|DefaultPrivileges)/);
  await up();
  await unchanged();
  await refreshed();
  await unchanged();
  for (const relation of ["games", "seen", "games_id_seq", "audit.more"])
    await sql(await as("metabase"), `SELECT FROM ${relation}`);
  await assert.rejects(sql(await as("the-app"), "TABLE audit.more"), /permission denied/);
});

test("a right that was revoked by hand comes back without a refresh, and with one shows as that right", async () => {
  await sql(admin(), "REVOKE SELECT ON users FROM metabase");
  assert.match(await preview(), /GRANT SELECT ON TABLE "public"\."users" TO "metabase"/);
  await up();
  await sql(await as("metabase"), "TABLE users");
  await refreshed();
  await unchanged();
  await sql(admin(), "REVOKE SELECT ON users FROM metabase");
  await refreshed();
  assert.match(await preview(), /~ .*Grant metabase-select-public update/);
  await up();
  await sql(await as("metabase"), "TABLE users");
  await unchanged();
});

/** One change after the other, none of which takes SELECT on public.users from metabase. */
const changes: readonly (() => void)[] = [
  () => configure({ ...metabase, access: "readwrite" }, writer),
  () => configure(metabase, writer),
  () => configure({ ...metabase, exclude: ["public.games"] }, writer),
  () => configure({ ...metabase, exclude: ["users.email"] }, writer),
  () => configure({ ...metabase, schemas: ["public"] }, writer),
  () => migrate("20240103000000_late", "CREATE TABLE late (id serial);"),
  () => configure({ ...metabase, statementTimeout: "1h" }, { ...writer, exclude: [] }),
  () => configure({ ...metabase, memberOf: [] }),
  () => configure(metabase, { name: "other", access: "readonly", exclude: ["users.email"] }),
  () => configure(metabase, writer),
];

test("nobody loses a right for a moment through ten changes, and each ends clean", async () => {
  const role = await as("metabase");
  const answers = await polling(role, "SELECT id FROM public.users", async () => {
    for (const change of changes) {
      change();
      await up();
    }
  });
  assert.ok(answers > 1000, `${answers} answers`);
  await unchanged();
  await refreshed();
  await unchanged();
  assert.equal((await project.pgstack("roles", "--stack", "grants")).code, 0);
});

test("a stack from before rights were resources gets them: nothing is lost and no role is replaced", async () => {
  const state = await exported();
  const rights = new Set(state.deployment.resources.filter(isRight).map(({ urn }) => urn));
  state.deployment.resources = state.deployment.resources
    .filter(({ urn }) => !rights.has(urn))
    .map((one) =>
      JSON.parse(
        JSON.stringify(one, (_, value) =>
          Array.isArray(value) ? value.filter((urn) => !rights.has(urn)) : value,
        ),
      ),
    );
  project.write("old.json", JSON.stringify(state));
  await done(project.pulumi("stack", "import", "--stack", "grants", "--file", "old.json"));
  const shown = await preview();
  assert.doesNotMatch(shown, /postgresql:index:Role |[-~] .*postgresql:/);
  assert.match(shown, /\+ .*Grant metabase-select-public create/);
  const answers = await polling(await as("metabase"), "SELECT id FROM public.users", async () => {
    await up();
  });
  assert.ok(answers > 10, `${answers} answers`);
  await unchanged();
});

test("where a role owns a table, or an extension does, the privileges that its tables have stay", async () => {
  await sql(admin(), "CREATE TABLE audit.own (); ALTER TABLE audit.own OWNER TO metabase");
  assert.match(await preview(), /- .*Grant metabase-select-audit delete/);
  await up();
  await sql(
    await as("metabase"),
    "SET default_transaction_read_only = off",
    "DELETE FROM audit.own",
    "TABLE audit.log",
  );
  await unchanged();
  await sql(admin(), "DROP TABLE audit.own");
  await up();
  await unchanged();
});

test("a password that somebody changed is named by a preview, and raising passwordVersion sets the stack's again", async () => {
  await sql(cluster.superuser, "ALTER ROLE metabase PASSWORD 'other'");
  assert.match(await preview(), /password of role "metabase" is not the stack's.*passwordVersion/s);
  const failed = await project.pgstack("up", "grants", "--yes", "--skip-preview");
  assert.match(failed.output, /refuses the password of role "metabase".*passwordVersion/s);
  configure({ ...metabase, passwordVersion: 2 }, writer);
  await up();
  await sql(await as("metabase"), "TABLE users");
});

test("a role that goes takes its rights along, and destroy ends with nothing left", async () => {
  configure(writer);
  await up();
  await unchanged();
  assert.deepEqual(await sql(admin(), "SELECT FROM pg_roles WHERE rolname = 'metabase'"), []);
  await done(project.pgstack("destroy", "grants", "--yes", "--skip-preview"));
});

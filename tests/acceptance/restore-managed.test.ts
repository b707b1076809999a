import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Call } from "../../runner/cli/command.ts";
import dumpCommand from "../../runner/commands/dump.ts";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { endOf, runCommand, sql, startCommand } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

// A server as a managed service gives it: its own superuser is nobody's, `public` of the template databases belongs to that
// superuser, and the administrator has LOGIN CREATEDB CREATEROLE.

let cluster: ThrowawayCluster;
let managed: ConnectionSettings;
const folder = mkdtempSync(join(tmpdir(), "pgstack-managed-"));

before(async () => {
  cluster = await startThrowawayCluster({ admin: "superuser", settings: { max_connections: 60 } });
  const service = "CREATE ROLE service_admin SUPERUSER";
  const open = "ALTER DATABASE template0 ALLOW_CONNECTIONS true";
  await sql(cluster.superuser, service, open);
  const publicOfService = "ALTER SCHEMA public OWNER TO service_admin; GRANT ALL ON SCHEMA public TO PUBLIC";
  for (const database of ["template0", "template1"])
    await sql({ ...cluster.superuser, database }, publicOfService);
  await sql(
    cluster.superuser,
    "ALTER DATABASE template0 ALLOW_CONNECTIONS false",
    "CREATE ROLE managed LOGIN CREATEDB CREATEROLE PASSWORD 'managed'",
    "GRANT pg_monitor, pg_signal_backend TO managed",
  );
  managed = { ...cluster.admin, user: "managed", password: "managed" };
  await sql(
    managed,
    "CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE reader LOGIN PASSWORD 'reader'; CREATE ROLE creator LOGIN PASSWORD 'creator'",
  );
});
after(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
});

const on = (database: string, user?: string): ConnectionSettings =>
  user === undefined ? { ...cluster.admin, database } : { ...cluster.admin, database, user, password: user };
const url = (database: string, user: string) =>
  `postgres://${user}:${user}@${cluster.admin.host}:${cluster.admin.port}/${database}`;

async function makeTarget(name: string): Promise<void> {
  await sql(
    cluster.superuser,
    `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`,
    `CREATE DATABASE ${name} OWNER app`,
  );
  await sql(
    on(name),
    `COMMENT ON DATABASE ${name} IS 'the app''s'; ALTER DATABASE ${name} SET work_mem = '8MB'; REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC;
     GRANT CONNECT ON DATABASE ${name} TO reader, creator; GRANT CONNECT ON DATABASE ${name} TO managed;
     CREATE SCHEMA stats AUTHORIZATION creator; GRANT USAGE ON SCHEMA stats TO reader;
     ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO reader;
     ALTER DEFAULT PRIVILEGES FOR ROLE creator GRANT SELECT ON TABLES TO reader;
     ALTER DEFAULT PRIVILEGES FOR ROLE service_admin GRANT SELECT ON TABLES TO reader`,
  );
}

/** Roles whose rights the admin has, and memberships that it has in any. */
async function memberships(): Promise<unknown[]> {
  return sql(
    cluster.superuser,
    `SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = roleid JOIN pg_roles u ON u.oid = member
     WHERE u.rolname = 'managed' AND r.rolname !~ '^pg_' AND (current_setting('server_version_num')::int < 160000 OR grantor <> 10)`,
  );
}

const content = `
  CREATE SCHEMA IF NOT EXISTS sales; CREATE TYPE sales.state AS ENUM ('open', 'paid');
  CREATE TABLE sales.orders (id serial PRIMARY KEY, state sales.state NOT NULL DEFAULT 'open', note text);
  INSERT INTO sales.orders (note) SELECT 'order ' || g FROM generate_series(1, 1000) g;
  CREATE TABLE public.users (id int PRIMARY KEY, name text);
  INSERT INTO public.users SELECT g, 'user ' || g FROM generate_series(1, 10) g;
  CREATE MATERIALIZED VIEW sales.totals AS SELECT state, count(*) FROM sales.orders GROUP BY state`;

async function dumpOf(database: string, name: string): Promise<string> {
  const path = join(folder, name);
  const { code, stderr } = await runCommand([
    "dump",
    "--url",
    url(database, "app"),
    "--out",
    path,
    "--overwrite",
  ]);
  assert.equal(code, 0, stderr);
  return path;
}

test("an ordinary administrator restores: everything is the owner's, settings and rights stay, no membership is left", async () => {
  await makeTarget("source");
  await makeTarget("target");
  await sql(
    on("source"),
    "DROP SCHEMA stats; CREATE EXTENSION hstore; GRANT CREATE ON DATABASE source TO app",
  );
  await sql(on("source", "app"), content);
  await sql(
    on("target", "app"),
    "CREATE TABLE public.users (id int PRIMARY KEY, name text); GRANT INSERT ON users TO creator",
  );
  const path = await dumpOf("source", "source.dump");
  const words = ["restore", path, "--url", url("target", "managed"), "--owner", "app", "--json"];
  const { code, stdout, stderr } = await runCommand(words);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as { notes: string[]; incomplete: string[]; rows: number };
  assert.deepEqual(report.incomplete, []);
  assert.equal(report.rows, 1010);
  assert.match(report.notes.join("\n"), /not stated again, for want of rights.*FOR ROLE "service_admin"/);
  assert.deepEqual(await memberships(), []);
  const [facts] = await sql(
    on("target"),
    `SELECT pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS comment, current_setting('work_mem') AS memory,
       (SELECT array_agg(DISTINCT tableowner::text) FROM pg_tables WHERE schemaname IN ('sales', 'public')) AS owners,
       (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'stats') AS stats
     FROM pg_database WHERE datname = 'target'`,
  );
  assert.deepEqual(facts, {
    owner: "app",
    comment: "the app's",
    memory: "8MB",
    owners: ["app"],
    stats: "creator",
  });
  await sql(on("target", "reader"), "SELECT FROM public.users");
  await sql(
    on("target", "creator"),
    "INSERT INTO public.users VALUES (11, 'eleven')",
    "CREATE TABLE stats.later (id int)",
  );
  await sql(on("target", "reader"), "SELECT FROM stats.later");
  const left = await until(
    async () =>
      (await sql(cluster.superuser, "SELECT datname FROM pg_database WHERE datname ~ 'pgstack'")).length ===
      0,
  );
  assert.ok(left);
});

test("rows are refused without --overwrite as for a superuser, and a restore over them works", async () => {
  const words = ["restore", join(folder, "source.dump"), "--url", url("target", "managed"), "--owner", "app"];
  const refused = await runCommand(words);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /TABLE stats\.later[\s\S]*rows of public\.users/);
  assert.deepEqual(await memberships(), []);
  const { code, stderr } = await runCommand([...words, "--overwrite"]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await sql(on("target", "app"), "SELECT count(*)::int AS n FROM users"), [{ n: 10 }]);
  assert.deepEqual(await memberships(), []);
});

test("a stack's restore is found done when it is repeated, by an administrator who may not read the record", async () => {
  const settings = { from: join(folder, "source.dump"), owner: "app", jobs: 1, overwrite: true };
  const env = {
    PGHOST: managed.host,
    PGPORT: String(managed.port),
    PGUSER: "managed",
    PGPASSWORD: "managed",
    PGDATABASE: "target",
    PGSSLMODE: "disable",
  };
  const run = () => runCommand(["restore-ensure"], { stdin: JSON.stringify(settings), env });
  const first = await run();
  assert.equal(first.code, 0, first.stderr);
  await sql(on("target", "app"), "INSERT INTO users VALUES (12, 'twelve')");
  const again = await run();
  assert.equal(again.code, 0, again.stderr);
  assert.equal(JSON.parse(again.stdout).sha256, JSON.parse(first.stdout).sha256);
  assert.deepEqual(await sql(on("target", "app"), "SELECT count(*)::int AS n FROM users"), [{ n: 11 }]);
  assert.deepEqual(await memberships(), []);
});

test("a restore that is killed leaves the target as it was; the next one drops what is left and leaves the joined roles", async () => {
  await sql(
    on("source", "app"),
    "INSERT INTO sales.orders (note) SELECT repeat('x', 500) FROM generate_series(1, 60000)",
  );
  const path = await dumpOf("source", "large.dump");
  const words = [
    "restore",
    path,
    "--url",
    url("target", "managed"),
    "--owner",
    "app",
    "--overwrite",
    "--jobs",
    "1",
  ];
  const child = startCommand(words);
  const ending = endOf(child);
  await until(async () => (await memberships()).length > 0);
  child.kill("SIGKILL");
  await ending;
  assert.deepEqual(await sql(on("target", "app"), "SELECT count(*)::int AS n FROM users"), [{ n: 11 }]);
  assert.deepEqual(await memberships(), [{ rolname: "app" }, { rolname: "creator" }]);
  const small = ["restore", join(folder, "source.dump"), ...words.slice(2)];
  await until(async () => {
    const { code, stderr } = await runCommand(small);
    return code === 0 && /dropped database pgstack_restore_/.test(stderr);
  });
  assert.deepEqual(await memberships(), []);
  assert.deepEqual(await sql(on("target", "app"), "SELECT count(*)::int AS n FROM users"), [{ n: 10 }]);
});

test("an owner whom the administrator may not join is refused before anything is touched", async () => {
  await sql(cluster.superuser, "CREATE ROLE foreign_owner SUPERUSER");
  const words = [
    "restore",
    join(folder, "source.dump"),
    "--url",
    url("target", "managed"),
    "--owner",
    "foreign_owner",
    "--overwrite",
  ];
  const { code, stderr } = await runCommand(words);
  assert.equal(code, 2, stderr);
  const refusal = /"managed" is not a member of "foreign_owner", and may not become one/;
  assert.match(stderr, refusal);
  const environment = {
    PGHOST: managed.host,
    PGPORT: String(managed.port),
    PGUSER: "managed",
    PGPASSWORD: "managed",
    PGDATABASE: "target",
    PGSSLMODE: "disable",
  };
  const restore = { from: join(folder, "large.dump"), owner: "foreign_owner", overwrite: true };
  const request = { restore, migrations: { directory: "migrations", table: "pgstack.migrations" } };
  const preview = await runCommand(["restore-check"], { stdin: JSON.stringify({ environment, request }) });
  assert.equal(preview.code, 2, preview.stderr);
  assert.match(preview.stderr, refusal);
});

test("a stack's dump is read as the owner where the administrator may not, by hand and as a resource", async () => {
  await makeTarget("owned");
  await sql(on("owned", "app"), content);
  const admin = { ...managed, database: "owned" };
  await sql(on("owned"), "REVOKE ALL ON SCHEMA public FROM managed");
  const facts = {
    name: "prod",
    config: {},
    outputs: { admin, databaseUrl: url("owned", "app"), owner: "app" },
  };
  let printed = "";
  const flags = { stack: "prod", out: join(folder, "owned.dump"), json: true };
  const sinks = { print: (line: string) => (printed += line), log: () => {}, terminal: false };
  const call = { flags, words: [], facts, env: {}, ...sinks } as unknown as Call;
  assert.equal(await dumpCommand.run(call), 0);
  assert.equal(JSON.parse(printed).rows, 1010);
  const settings = {
    stack: "prod",
    label: "nightly",
    directory: folder,
    format: "custom",
    jobs: 1,
    compression: "none",
  };
  const login = {
    PGHOST: admin.host,
    PGPORT: String(admin.port),
    PGUSER: "managed",
    PGPASSWORD: "managed",
    PGDATABASE: "owned",
    PGSSLMODE: "disable",
  };
  const resource = (more: Record<string, string>) =>
    runCommand(["dump-ensure"], { stdin: JSON.stringify(settings), env: { ...login, ...more } });
  const alone = await resource({});
  assert.equal(alone.code, 2, alone.stderr);
  assert.match(alone.stderr, /"managed" may not read these tables and sequences/);
  const owned = await resource({ PGSTACK_OWNER_USER: "app", PGSTACK_OWNER_PASSWORD: "app" });
  assert.equal(owned.code, 0, owned.stderr);
  assert.equal(JSON.parse(owned.stdout).rows, 1010);
  const byUrl = await runCommand([
    "dump",
    "--url",
    url("owned", "managed"),
    "--out",
    join(folder, "no.dump"),
  ]);
  assert.equal(byUrl.code, 2, byUrl.stderr);
  assert.match(byUrl.stderr, /Dump as their owner/);
});

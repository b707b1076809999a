// `pgstack plan` says what `up` does: from one stack, whose database, configuration and files are changed in turn.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { parseSqlFile } from "../../runner/migrations/files/sql-file.ts";
import { applyMigrations } from "../../runner/migrations/run/apply.ts";
import { readMigrationsOutlook } from "../../runner/plan/migrations.ts";
import type { Plan } from "../../runner/plan/model.ts";
import { connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster } from "../support/throwaway-cluster.ts";

const config = {
  instance: { kind: "local" },
  database: { name: "shop", owner: "shop_owner" },
  roles: [{ name: "shop_app", access: "readwrite", connectionLimit: 40 }],
};
const first = `-- migrate: up
CREATE TABLE users (id int PRIMARY KEY, name text, email text);
CREATE TABLE tokens (id int PRIMARY KEY);
INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', NULL);
-- migrate: down
DROP TABLE tokens;
DROP TABLE users;
`;

let project: TestProject;
before(() => {
  project = createProject();
  project.configure("dev", config);
  project.remove("migrations");
  project.remove("models");
});
after(() => project.close());

const write = (name: string, text: string) => {
  project.write(`migrations/${name}.sql`, text);
};

async function plan(code: number): Promise<Plan> {
  const found = await project.pgstack("plan", "dev", "--json");
  assert.equal(found.code, code, found.output);
  return JSON.parse(found.stdout) as Plan;
}

test("a stack that nobody has made yet is planned from its file", async () => {
  const { mkdirSync } = await import("node:fs");
  mkdirSync(`${project.directory}/migrations`);
  write("1_users", first);
  const { stdout, code } = await project.pgstack("plan", "dev");
  assert.equal(code, 3);
  assert.match(stdout, /^shop, stack dev: nothing applied → 1_users$/m);
  assert.match(stdout, /The database is not made yet/);
  assert.match(stdout, /\+ shop_app +readwrite, connectionLimit 40/);
  assert.match(
    stdout,
    /^ +DROP TABLE users;$|^ +CREATE TABLE users \(id int PRIMARY KEY, name text, email text\);$/m,
  );
  const page = await project.pgstack(
    "plan",
    "dev",
    "--format",
    "html",
    "--out",
    `${project.directory}/plan.html`,
  );
  assert.deepEqual([page.code, page.stdout], [3, ""]);
  assert.match(project.read("plan.html"), /^<!doctype html>.*aria-label="Table users new"/s);
});

test("after an update there is nothing to do, and then everything is told apart that changes", async () => {
  await done(project.pgstack("up", "dev"));
  const quiet = await plan(0);
  assert.deepEqual([quiet.changes, quiet.drift, quiet.refusals, quiet.resources], [false, [], [], []]);
  assert.deepEqual(quiet.untouched, { migrations: 1, roles: 1 });

  const { databaseUrl } = await project.outputs("dev");
  await withClient(connectionFromUrl(String(databaseUrl), {}), (client) =>
    client.query("GRANT TRUNCATE ON users TO shop_app"),
  );
  project.configure("dev", {
    ...config,
    roles: [
      { name: "shop_app", access: "readwrite", connectionLimit: 60 },
      { name: "metabase", access: "readonly", exclude: ["tokens", "users.name"] },
    ],
    dump: { label: "before-2" },
  });
  const second =
    "-- migrate: up\nCREATE INDEX users_email ON users (email);\nALTER TABLE users DROP COLUMN email;\nCREATE TABLE notes (id int);\n-- migrate: down irreversible\n";
  write("2_notes", second);

  const found = await plan(3);
  assert.deepEqual(found.head, { from: "1_users", to: "2_notes" });
  assert.deepEqual(
    found.roles.map(({ name, change, attributes }) => ({ name, change, attributes })),
    [
      {
        name: "shop_app",
        change: "change",
        attributes: [{ name: "connectionLimit", from: "40", to: "60" }],
      },
      { name: "metabase", change: "create", attributes: [{ name: "login", from: null, to: "yes" }] },
    ].map((role) => ({ ...role, attributes: role.attributes.filter(({ name }) => name !== "login") })),
  );
  assert.deepEqual(found.roles[1]?.reads, {
    total: 3,
    whole: ["public.notes"],
    partly: [{ table: "public.users", without: ["name"] }],
    not: ["public.tokens"],
  });
  assert.deepEqual(found.drift, [
    {
      kind: "right",
      subject: "shop_app",
      found: "TRUNCATE on table public.users, which nobody declared",
      becomes: "revoked",
    },
  ]);
  const [migration] = found.migrations.apply;
  assert.equal(migration?.sql, second.slice(0, second.indexOf("\n-- migrate: down")));
  assert.equal(migration?.reversible, false);
  assert.deepEqual(
    migration?.statements.map(({ effects }) =>
      effects.map(({ form, table }) => `${form} ${table.name} ${table.rows}`),
    ),
    [["create-index public.users 2"], ["drop-column public.users 2"], []],
  );
  assert.deepEqual(migration?.statements[1]?.losses, [
    { what: "column public.users.email", rows: 1, counted: true },
  ]);
  assert.deepEqual(
    found.schema?.tables.map(({ name, change }) => `${name} ${change}`),
    ["tokens none", "users change", "notes add"],
  );
  const cell = (role: string, table: string) =>
    found.matrix?.cells.find((one) => one.role === role && one.table === `public.${table}`);
  assert.deepEqual(cell("shop_app", "users")?.loses, ["TRUNCATE"]);
  assert.deepEqual(cell("metabase", "users")?.gains, ["SELECT (id, email)"]);
  assert.deepEqual(cell("metabase", "notes")?.gains, ["SELECT"]);
  assert.equal(cell("metabase", "tokens"), undefined);
  assert.deepEqual(
    found.history?.map(({ name, reverted }) => ({ name, reverted })),
    [{ name: "1_users", reverted: false }],
  );
  assert.equal(found.dump?.made, true);
  assert.ok(
    found.resources.some(({ name, operation }) => name === "metabase-role" && operation === "create"),
  );
});

test("what up would refuse is said at once, first, and ends with 2", async () => {
  project.configure("dev", {
    ...config,
    roles: [{ name: "shop_app", access: "readwrite", memberOf: ["nobody_here"] }],
  });
  write("1_users", first.replace("name text", "name varchar"));
  const out = `${project.directory}/plan.md`;
  const { code, stdout } = await project.pgstack("plan", "dev", "--format", "markdown", "--out", out);
  assert.deepEqual([code, stdout], [2, ""]);
  const text = project.read("plan.md");
  assert.match(text, /`up` refuses\n\n(- .*\n)*- .*1\\_users was edited after it was applied/);
  assert.match(text, /nobody\\_here/);
});

test("sizes and rows of a partitioned table are those of all its leaves, and a down migration's losses are counted", async () => {
  await using cluster = await startThrowawayCluster();
  const script = (up: string, down: string, name: string) =>
    parseSqlFile(`-- migrate: up\n${up}\n-- migrate: down\n${down}`, name, `m/${name}.sql`);
  const made = script(
    "CREATE TABLE t (id int) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); " +
      "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20); INSERT INTO t SELECT generate_series(0, 14)",
    "DROP TABLE t",
    "1_t",
  );
  const index = script("CREATE INDEX ON t (id); DROP SCHEMA s CASCADE", "DROP INDEX t_id_idx", "2_index");
  const access = { owner: cluster.admin };
  await applyMigrations({
    ...{ access, files: [made], kept: () => new Set(["1_t"]), settings: defaultSettings },
    ...{ leaving: new Set<string>(), log: () => {} },
  });
  await withClient(cluster.admin, (client) =>
    client.query("ANALYZE t; CREATE SCHEMA s; CREATE TABLE s.u AS SELECT 1 AS a"),
  );
  const up = await readMigrationsOutlook(access, [made, index], defaultSettings);
  const [create, drop] = up.migrations.apply[0]?.statements ?? [];
  const { name, rows, partitions, bytes } = create?.effects[0]?.table ?? {};
  assert.deepEqual([name, rows, partitions], ["public.t", 15, 2]);
  assert.ok((bytes ?? 0) >= 2 * 8192, "the leaves' files count");
  assert.deepEqual(drop?.losses, [{ what: "table s.u", rows: 1, counted: true }]);

  const back = await readMigrationsOutlook(access, [made], { ...defaultSettings, to: "0" });
  assert.deepEqual(back.head, { from: "1_t", to: null });
  assert.deepEqual(back.migrations.revert[0]?.statements[0]?.losses, [
    { what: "table public.t", rows: 15, counted: true },
  ]);
});

// What servers are set to, and what they keep roles from, in runs of migrations.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { readMigrations } from "../../runner/migrations/files/directory.ts";
import { checkDatabase } from "../../runner/migrations/preview.ts";
import { readStatus } from "../../runner/migrations/status.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { type Bench, makeBench } from "../support/migrations.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
before(async () => {
  cluster = await startThrowawayCluster();
});
after(() => cluster.close());

const asOwner = (bench: Bench, sql: string) => withClient(bench.owner, (client) => client.query(sql));
const asAdmin = (bench: Bench, sql: string) => withClient(bench.superuser, (client) => client.query(sql));

async function statusOf(bench: Bench, to = "latest") {
  const files = await readMigrations(bench.directory, "migrations");
  const settings = { ...defaultSettings, to };
  const access = { owner: bench.owner };
  const status = await readStatus(access, files, settings);
  const preview = await checkDatabase(access, { files, settings });
  const said = (result: typeof status | typeof preview) =>
    [...result.findings, ...result.warnings].map(({ message }) => message);
  assert.deepEqual(
    said(preview).sort(),
    said(status)
      .filter((one) => !/beyond the target|not among/.test(one))
      .sort(),
  );
  return said(preview);
}

test("time limits of the database and of the role end no migration and no session of its own", async () => {
  using bench = await makeBench(cluster);
  const { database, user } = bench.owner;
  const limits = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
  ];
  for (const [index, limit] of limits.entries())
    await asAdmin(
      bench,
      `ALTER ${index % 2 ? `ROLE ${user}` : `DATABASE ${database}`} SET ${limit} = '150ms'`,
    );
  bench.migration(
    "1_a",
    "CREATE TABLE a (id int);\nSELECT pg_sleep(0.4);",
    "DROP TABLE a;\nSELECT pg_sleep(0.4);",
  );
  const pause = "await new Promise((resolve) => setTimeout(resolve, 400));";
  bench.write(
    "2_b.ts",
    `export const up = async (client) => { await client.query("CREATE TABLE b (id int)"); ${pause} await client.query("INSERT INTO b VALUES (1)"); };\nexport const down = "DROP TABLE b";\n`,
  );
  bench.migration(
    "3_c",
    "SELECT pg_sleep(0.4);\nCREATE TABLE c (id int);",
    "DROP TABLE c",
    "transaction=off",
  );
  await bench.apply();
  assert.deepEqual(await bench.history(), ["1_a", "2_b", "3_c"]);
  assert.equal((await bench.run("downgrade", "0")).code, 0);
});

test("a session that the server ends is told in a sentence, with its migration", async () => {
  using bench = await makeBench(cluster);
  bench.migration(
    "1_a",
    "CREATE TABLE a (id int);\nSELECT pg_terminate_backend(pg_backend_pid());",
    "DROP TABLE a",
  );
  await assert.rejects(
    bench.apply(),
    /Migration 1_a \(up\) failed at migrations\/1_a\.sql.*The server ended the session on the database: somebody ended it .*57P01.*Nothing is applied/s,
  );
  assert.deepEqual(await bench.query("SELECT to_regclass('a')"), [null]);
});

test("a history that row security hides is refused, and never taken for empty", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  await bench.apply();
  const table = "ALTER TABLE pgstack.migrations";
  await asOwner(bench, `${table} ENABLE ROW LEVEL SECURITY; ${table} FORCE ROW LEVEL SECURITY`);
  const hidden = /Row security hides the history of migrations/;
  await assert.rejects(bench.apply(), hidden);
  await assert.rejects(statusOf(bench), hidden);
  for (const command of ["upgrade", "downgrade", "status", "repair"]) {
    const { code, stderr } = await bench.run(command, ...(command === "downgrade" ? ["0"] : []));
    assert.equal(code, 2, command);
    assert.match(stderr, hidden);
  }
  assert.deepEqual(await bench.query("SELECT to_regclass('a')::text"), ["a"]);
});

test("row security on other tables is in force while scripts run", async () => {
  using bench = await makeBench(cluster);
  const secured = "ALTER TABLE a ENABLE ROW LEVEL SECURITY; ALTER TABLE a FORCE ROW LEVEL SECURITY;";
  bench.migration(
    "1_a",
    `CREATE TABLE a (id int); INSERT INTO a VALUES (1), (2); ${secured}`,
    "DROP TABLE a",
  );
  bench.migration(
    "2_b",
    "CREATE POLICY p ON a USING (id = 1); CREATE TABLE b AS SELECT id FROM a",
    "DROP TABLE b",
  );
  bench.migration("3_c", "CREATE TABLE c AS SELECT id FROM a", "DROP TABLE c", "transaction=off");
  await bench.apply();
  assert.deepEqual(await bench.query("SELECT id FROM b UNION ALL SELECT id FROM c"), [1, 1]);
});

test("rights that a pending migration needs and its role lacks are said before anything runs", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  const needy = {
    "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()":
      "CREATE EVENT TRIGGER needs a superuser",
    "CREATE FUNCTION g() RETURNS int LANGUAGE c AS 'x'": "a function in language c needs a superuser",
    "CREATE PUBLICATION p FOR ALL TABLES": "CREATE PUBLICATION … FOR ALL TABLES needs a superuser",
    "CREATE EXTENSION postgres_fdw": "CREATE EXTENSION postgres_fdw needs a superuser",
    "CREATE ROLE r": "CREATE ROLE needs CREATEROLE",
    "SET session_replication_role = replica": "SET session_replication_role needs a superuser",
    "COPY a FROM '/tmp/x'": "COPY with a file of the server needs membership in pg_read_server_files",
    "CREATE TYPE y (INPUT = a, OUTPUT = b)": "CREATE TYPE of a new base type needs a superuser",
  };
  for (const [sql, expected] of Object.entries(needy)) {
    bench.migration("2_b", sql, "SELECT 1");
    const said = (await statusOf(bench)).join("\n");
    assert.ok(said.includes(expected), `${sql}: ${said}`);
    assert.match(said, /migrations\/2_b\.sql:2: .*migrations run as "bench_\d+"/);
  }
  const harmless =
    "CREATE EXTENSION IF NOT EXISTS citext; SET work_mem = '8MB'; CREATE TYPE e AS ENUM ('a'); CREATE PUBLICATION p FOR TABLE a";
  bench.migration("2_b", harmless, "SELECT 1");
  assert.deepEqual(await statusOf(bench), []);
  assert.deepEqual((await bench.apply()).applied, ["1_a", "2_b"]);
});

test("names that begin with a dot, and folders, are no migrations", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  bench.write("._1_a.sql", Buffer.from([0, 5, 22, 7]));
  symlinkSync("root@host.1:2", join(bench.directory, ".#1_a.sql"));
  mkdirSync(join(bench.directory, "2_old.sql"));
  assert.deepEqual((await bench.apply()).applied, ["1_a"]);
});

test("what a revert loses is said with its rows counted, as is what an up migration loses", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (2), (3)", "DROP TABLE a");
  bench.migration("2_b", "ALTER TABLE a ADD b int", "ALTER TABLE a DROP COLUMN b");
  await bench.apply();
  const said = await statusOf(bench, "0");
  assert.match(
    said.join("\n"),
    /2_b, down script as recorded:2: drop-column on "a" \(b\), 3 rows, 8192 bytes: loses the column's values/,
  );
  assert.match(
    said.join("\n"),
    /1_a, down script as recorded:2: drop-table on "a", 3 rows, 8192 bytes: loses the table's rows/,
  );
  assert.doesNotMatch(said.join("\n"), /lint: allow/);
});

test("warnings on a partitioned table name the way that PostgreSQL has there, and the size of all partitions", async () => {
  using bench = await makeBench(cluster);
  await asOwner(
    bench,
    "CREATE TABLE ev (id int, at int) PARTITION BY RANGE (id); CREATE TABLE ev1 PARTITION OF ev FOR VALUES FROM (0) TO (10000); CREATE TABLE ev2 PARTITION OF ev FOR VALUES FROM (10000) TO (20000);" +
      "INSERT INTO ev SELECT i, i FROM generate_series(0, 19999) AS i; CREATE INDEX old ON ev (at); CREATE TABLE r (id int PRIMARY KEY); ANALYZE ev1, ev2",
  );
  const ways = {
    "CREATE INDEX ev_id ON ev (id)":
      /create-index on "ev", about 20000 rows in 2 partitions, \d{3,} kB: .*ON ONLY the table, CREATE INDEX CONCURRENTLY on each partition/,
    "DROP INDEX old":
      /drop-index on "old".* in 2 partitions, \d+ kB: .*PostgreSQL has no CONCURRENTLY for it/,
    "ALTER TABLE ev ADD UNIQUE (id)": /add-unique on "ev".*ADD CONSTRAINT … to ONLY the table/,
    "ALTER TABLE ev ADD FOREIGN KEY (at) REFERENCES r":
      /add-foreign-key on "ev".*add it to each partition NOT VALID/,
    "ALTER TABLE ev ADD FOREIGN KEY (at) REFERENCES r NOT VALID":
      /add-foreign-key on "ev".*is refused by PostgreSQL; .*each partition NOT VALID/,
  };
  for (const [sql, expected] of Object.entries(ways)) {
    bench.migration("1_a", sql, "SELECT 1");
    assert.match((await statusOf(bench)).join("\n"), expected);
  }
  bench.migration("1_a", "CREATE INDEX ev_id ON ONLY ev (id)", "SELECT 1");
  assert.deepEqual(await statusOf(bench), []);
  const leaves = ["ev1", "ev2"].map(
    (leaf) =>
      `CREATE INDEX CONCURRENTLY ${leaf}_id ON ${leaf} (id); ALTER INDEX ev_id ATTACH PARTITION ${leaf}_id;`,
  );
  bench.migration("2_b", leaves.join("\n"), "SELECT 1", "transaction=off");
  await bench.apply();
  assert.deepEqual(
    await bench.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ev_id'::regclass"),
    [true],
  );
});

test("a change of columns names clients with a prepared SELECT *, and one of the catalog alone is no danger", async () => {
  using bench = await makeBench(cluster);
  await bench.query("CREATE TABLE a (id int, n varchar(10), t timestamptz(3))");
  bench.migration(
    "1_a",
    "ALTER TABLE a ALTER n TYPE varchar(20), ALTER t TYPE timestamptz;\nALTER TABLE a ADD b int;",
    "SELECT 1",
  );
  const [said, ...more] = await statusOf(bench);
  assert.match(
    said ?? "",
    /1_a\.sql:2: prepared-statements on "a".*"cached plan must not change result type" \(0A000\)/,
  );
  assert.deepEqual(more, []);
  bench.migration("1_a", "ALTER TABLE a ALTER n TYPE varchar(5)", "SELECT 1");
  assert.match((await statusOf(bench)).join("\n"), /change-column-type on "a" \(n\)/);
});

test("a preview tries late migrations from empty, and says where a new database would stop", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  bench.migration("3_c", "CREATE TABLE c (id int)", "DROP TABLE c");
  await bench.apply();
  const late = async (up: string) => {
    bench.migration("2_b", up, "SELECT 1");
    const files = await readMigrations(bench.directory, "migrations");
    const settings = { ...defaultSettings, outOfOrder: "apply" as const };
    const { findings } = await checkDatabase({ owner: bench.owner }, { files, settings });
    return findings
      .map(({ verdict, message }) => `${verdict}: ${message}`)
      .filter((one) => /from empty/.test(one));
  };
  assert.deepEqual(await late("ALTER TABLE a ADD n int"), []);
  const [found = "", ...others] = await late("ALTER TABLE c ADD n int");
  assert.match(
    found,
    /^note: Migrations are applied after newer ones\. A database that is made from empty would stop at them/,
  );
  assert.match(found, /2_b[\s\S]*relation "c" does not exist/);
  assert.deepEqual(others, []);
});

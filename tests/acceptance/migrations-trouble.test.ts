import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openClient, withClient } from "../../runner/postgres/connection.ts";
import { projectPath } from "../../runner/util/project.ts";
import { connectionUrl } from "../support/databases.ts";
import { type Bench, makeBench } from "../support/migrations.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { startTransactionPooler } from "../support/transaction-pooler.ts";
import { until } from "../support/wait.ts";

let cluster: ThrowawayCluster;
before(async () => {
  cluster = await startThrowawayCluster();
});
after(() => cluster.close());

/** The test's pooler sends no passwords on. */
async function trust({ superuser: admin, place }: ThrowawayCluster): Promise<void> {
  writeFileSync(join(place.directory, "data", "pg_hba.conf"), "host all all 127.0.0.1/32 trust\n");
  await withClient(admin, (client) => client.query("SELECT pg_reload_conf()"));
  await until(() =>
    withClient({ ...admin, password: undefined }, () => Promise.resolve(true)).catch(() => false),
  );
}

/** Starts an upgrade in a process of its own, which a test may kill. */
function startUpgrade(bench: Bench) {
  const { password, ...settings } = bench.owner;
  const env = { ...process.env, PGPASSWORD: password };
  const url = connectionUrl(settings);
  const args = [projectPath("runner/main.ts"), "upgrade", "--url", url, "--directory", bench.directory];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stderr.on("data", (data) => {
    output += data;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  return { child, ended, output: () => output };
}

/** Waits until a query, run as the admin, answers true. */
async function answersTrue(bench: Bench, sql: string): Promise<void> {
  const ask = () => withClient(bench.superuser, (client) => client.query({ text: sql, rowMode: "array" }));
  await until(
    async () => (await ask()).rows[0]?.[0] === true,
    () => `never true: ${sql}`,
  );
}

const sleeping = (bench: Bench) =>
  `SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = '${bench.owner.database}' AND query LIKE '%pg_sleep(6%' AND pid <> pg_backend_pid()`;

/** What the driver warns of would reach whoever runs migrations. */
process.on("warning", (warning) => {
  throw warning;
});

test("a run that is killed in the middle of a migration leaves nothing of it, nor its lock", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  bench.migration("2_b", "CREATE TABLE b (id int);\nSELECT pg_sleep(60);", "DROP TABLE b");
  const { child, ended } = startUpgrade(bench);
  await answersTrue(bench, sleeping(bench));
  child.kill("SIGKILL");
  await ended;
  bench.migration("2_b", "CREATE TABLE b (id int)", "DROP TABLE b");
  const started = Date.now();
  assert.deepEqual((await bench.apply()).applied, ["2_b"]);
  assert.ok(Date.now() - started < 50_000, "it waited for the killed run's sleep");
});

test("a transaction=off migration that is killed continues at the statement that was not done", async () => {
  using bench = await makeBench(cluster);
  const up = (seconds: number) =>
    `CREATE TABLE a (id int);\nSET search_path = public;\nINSERT INTO a VALUES (1);\nSELECT pg_sleep(${seconds});\nINSERT INTO a VALUES (2);`;
  bench.migration("1_a", up(60), "DROP TABLE a", "transaction=off");
  const { child, ended } = startUpgrade(bench);
  await answersTrue(bench, sleeping(bench));
  child.kill("SIGKILL");
  await ended;
  assert.deepEqual(await bench.query("SELECT statements_done FROM pgstack.migrations"), [3]);
  bench.migration("1_a", up(0), "DROP TABLE a", "transaction=off");
  await bench.apply();
  assert.match(bench.lines.join("\n"), /1_a continues at statement 4 of 5/);
  assert.deepEqual(await bench.query("SELECT id FROM a ORDER BY id"), [1, 2]);
  assert.deepEqual(await bench.query("SELECT statements_done FROM pgstack.migrations"), [null]);
});

test("a statement that may or may not have run is left to a person, with the way to continue", async () => {
  using bench = await makeBench(cluster);
  bench.migration(
    "1_a",
    "CREATE TABLE a (id int);\nDO $$ BEGIN PERFORM pg_sleep(60); END $$;\nINSERT INTO a VALUES (1);",
    "DROP TABLE a",
    "transaction=off",
  );
  const { child, ended } = startUpgrade(bench);
  await answersTrue(bench, sleeping(bench));
  child.kill("SIGKILL");
  await ended;
  await assert.rejects(
    bench.apply(),
    /cut off while statement 2 of 3 \(migrations\/1_a\.sql:3\) ran.*repair 1_a --next 2/s,
  );
  assert.equal((await bench.run("repair", "1_a", "--next", "3")).code, 0);
  await bench.apply();
  assert.deepEqual(await bench.query("SELECT id FROM a"), [1]);
});

test("a partition whose detachment was killed on its way is detached by the next run", async () => {
  using bench = await makeBench(cluster);
  await bench.query("CREATE TABLE p (id int) PARTITION BY LIST (id)");
  await bench.query('CREATE TABLE "P 1" PARTITION OF p FOR VALUES IN (1)');
  const up = 'ALTER TABLE p DETACH PARTITION "P 1" CONCURRENTLY;\nINSERT INTO "P 1" VALUES (1);';
  bench.migration("1_a", up, undefined, "transaction=off");
  const reader = await openClient(bench.owner);
  await reader.query("BEGIN; SELECT * FROM p");
  const { child, ended } = startUpgrade(bench);
  await answersTrue(bench, "SELECT bool_or(inhdetachpending) FROM pg_inherits");
  child.kill("SIGKILL");
  await ended;
  await answersTrue(
    bench,
    "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE p DETACH%'",
  );
  await reader.end();
  await bench.apply();
  assert.match(bench.lines.join("\n"), /finishing to detach the partition "P 1"/);
  assert.deepEqual(await bench.query("SELECT count(*)::int FROM pg_inherits"), [0]);
  assert.deepEqual(await bench.query('SELECT id FROM "P 1"'), [1]);
  assert.deepEqual(await bench.query("SELECT statements_done FROM pgstack.migrations"), [null]);
});

test("two runs at once: one waits without a transaction, though the other builds an index concurrently", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a AS SELECT generate_series(1, 300000) AS id", "DROP TABLE a");
  bench.migration(
    "2_b",
    "CREATE INDEX CONCURRENTLY a_id ON a (id)",
    "DROP INDEX CONCURRENTLY a_id",
    "transaction=off",
  );
  const results = await Promise.all([bench.apply(), bench.apply(), bench.apply()]);
  assert.deepEqual(results.flatMap(({ applied }) => applied).sort(), ["1_a", "2_b"]);
  assert.match(
    bench.lines.join("\n"),
    /Another run of migrations holds the lock: process \d+ \(pgstack, user bench_/,
  );
});

test("two applications with histories or databases of their own do not wait for each other", async () => {
  using bench = await makeBench(cluster);
  using other = await makeBench(cluster);
  bench.migration("1_a", "SELECT pg_advisory_xact_lock(1)", "SELECT 1");
  other.migration("1_a", "CREATE TABLE other (id int)", "DROP TABLE other");
  const holder = await openClient(bench.owner);
  await holder.query("SELECT pg_advisory_lock(1)");
  const first = bench.apply();
  await answersTrue(bench, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory'");
  await other.apply({ table: "pgstack.others" }, [], bench.owner);
  await other.apply(); // in a database of its own
  await holder.end();
  assert.deepEqual((await first).applied, ["1_a"]);
});

test("a unique index that cannot be built is not recorded, and its invalid leftover is dropped", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a AS SELECT 1 AS id UNION ALL SELECT 1", "DROP TABLE a");
  bench.migration(
    "2_b",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id)",
    "DROP INDEX CONCURRENTLY a_id",
    "transaction=off",
  );
  await assert.rejects(bench.apply(), /23505.*Key \(id\)=\(1\) is duplicated/s);
  assert.deepEqual(await bench.query("SELECT to_regclass('a_id')"), [null]);
  assert.deepEqual(await bench.history(), ["1_a"]);
  await bench.query("DELETE FROM a WHERE ctid = '(0,1)'");
  await bench.apply();
  assert.deepEqual(await bench.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass"), [
    true,
  ]);
});

test("an invalid index that was left by others is built again, not taken for done", async () => {
  using bench = await makeBench(cluster);
  await bench.query("CREATE TABLE a AS SELECT 1 AS id UNION ALL SELECT 1");
  await bench.query("CREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id)").catch(() => {});
  await bench.query("DELETE FROM a WHERE ctid = '(0,1)'");
  bench.migration(
    "1_b",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id)",
    "DROP INDEX CONCURRENTLY a_id",
    "transaction=off",
  );
  await bench.apply();
  assert.deepEqual(await bench.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass"), [
    true,
  ]);
});

test("a lock that a long reader holds is given up, named and tried again", async () => {
  using bench = await makeBench(cluster);
  await bench.query("CREATE TABLE a (id int)");
  bench.migration("1_b", "ALTER TABLE a ADD COLUMN b int", "ALTER TABLE a DROP COLUMN b");
  for (const name of ["2_c", "3_d"]) bench.migration(name, `CREATE TABLE t${name} (id int)`, "SELECT 1");
  const reader = await openClient(bench.owner);
  await reader.query("BEGIN; SELECT * FROM a");
  const run = bench.apply({ lockTimeout: 300 });
  while (!bench.lines.some((line) => line.startsWith("No lock within"))) await sleep(10);
  const later = "SET lock_timeout = '100ms'; SELECT * FROM a"; // which does not queue behind the migration
  await withClient(bench.owner, (client) => client.query(later));
  await sleep(600);
  await reader.query("COMMIT");
  await reader.end();
  assert.deepEqual((await run).applied, ["1_b", "2_c", "3_d"]);
  assert.deepEqual(await bench.history(), ["1_b", "2_c", "3_d"]);
  assert.match(
    bench.lines.join("\n"),
    /No lock within 300 ms, held by process \d+ \(pgstack, user bench_\d+, idle in transaction/,
  );
});

const failures = {
  "by its syntax": "CREATE TABLE b (id int);\nSELEC 1;",
  "in a statement": "CREATE TABLE b (id int);\nSELECT 1/0;",
  "at its end":
    "CREATE TABLE b (id int UNIQUE, a int REFERENCES b (id) DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO b VALUES (1, 2);",
};

for (const [when, up] of Object.entries(failures))
  for (const first of [true, false])
    test(`nothing runs of what was sent after a migration that fails ${when}${first ? ", the first of all" : ""}`, async () => {
      using bench = await makeBench(cluster);
      if (!first) bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a");
      bench.migration("2_b", up, "DROP TABLE b");
      for (const name of ["3_c", "4_d"]) bench.migration(name, `CREATE TABLE t${name} (id int)`, "SELECT 1");
      await assert.rejects(bench.apply(), /2_b \(up\) failed/);
      assert.deepEqual(await bench.history(), first ? [] : ["1_a"]);
      const tables =
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
      assert.deepEqual(await bench.query(tables), first ? [] : ["a"]);
      bench.migration("2_b", "CREATE TABLE b (id int)", "DROP TABLE b");
      await bench.apply();
      assert.equal((await bench.query(tables)).length, first ? 3 : 4);
    });

test("an enum value that is used in the transaction that adds it gets PostgreSQL's error and the way out", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TYPE e AS ENUM ('a')", "DROP TYPE e");
  bench.migration("2_b", "ALTER TYPE e ADD VALUE 'b';\nSELECT 'b'::e;", undefined);
  await assert.rejects(
    bench.apply(),
    /migrations\/2_b\.sql:3.*55P04.*Way out: put ADD VALUE into a migration of its own/s,
  );
  bench.migration("2_b", "ALTER TYPE e ADD VALUE 'b';\nSELECT 'b'::e;", undefined, "transaction=off");
  await bench.apply();
});

test("a down script that fails leaves the migration applied", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a;\nDROP TABLE nowhere;");
  await bench.apply();
  const { code, stderr } = await bench.run("downgrade", "0");
  assert.equal(code, 1);
  assert.match(
    stderr,
    /1_a \(down\) failed at 1_a, down script as recorded:3, statement 2 of 2.*"nowhere" does not exist/s,
  );
  assert.deepEqual(await bench.history(), ["1_a"]);
  assert.deepEqual(await bench.query("SELECT to_regclass('a')::text"), ["a"]);
});

test("a TypeScript migration runs in the migration's transaction, and back when its file is gone", async () => {
  using bench = await makeBench(cluster);
  bench.write(
    "1_a.ts",
    'import type { Client } from "pg";\nimport { createHash } from "node:crypto";\nexport const up = async (client: Client) => {\n  await client.query("CREATE TABLE a (h text)");\n  await client.query("INSERT INTO a VALUES ($1)", [createHash("md5").update("x").digest("hex")]);\n};\nexport const down = "DROP TABLE a";\n',
  );
  await bench.apply();
  assert.deepEqual(await bench.query("SELECT h FROM a"), ["9dd4e461268c8034f5c8564e155c67a6"]);
  bench.remove("1_a.ts");
  assert.equal((await bench.run("downgrade", "0")).code, 0);
  bench.write(
    "2_b.ts",
    'export async function up(client) { await client.query("CREATE TABLE b ()"); throw new Error("no luck"); }\nexport const down = null;\n',
  );
  await assert.rejects(bench.apply(), /2_b \(up\) failed at migrations\/2_b\.ts:\nno luck/);
  assert.deepEqual(await bench.query("SELECT to_regclass('b')"), [null]);
});

test("a statement of 20 MB and names of every kind work", async () => {
  using bench = await makeBench(cluster);
  bench.migration(
    "1_a",
    `CREATE TABLE "Weird ""näme"" 1.2" ("select" text, "Ünïcode" int);\nINSERT INTO "Weird ""näme"" 1.2" VALUES ('${"x".repeat(20 << 20)}', 1);`,
    'DROP TABLE "Weird ""näme"" 1.2"',
  );
  await bench.apply();
  assert.deepEqual(await bench.query('SELECT length("select") FROM "Weird ""näme"" 1.2"'), [20 << 20]);
});

test("a pooler that hands out sessions by transaction is detected and refused", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  await trust(cluster);
  await using pooler = await startTransactionPooler(bench.owner);
  await assert.rejects(
    bench.apply({}, [], { ...bench.owner, port: pooler.port, sslMode: "disable" }),
    /a pooler that gives each transaction another session/,
  );
  assert.equal((await bench.apply()).applied.length, 1);
});

test("a script that gives up the lock, or ends its transaction, is not recorded", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int);\nSELECT pg_advisory_unlock_all();", "DROP TABLE a");
  await assert.rejects(bench.apply(), /no longer holds the lock/);
  assert.deepEqual(await bench.query("SELECT to_regclass('a')"), [null]);
  bench.remove("1_a.sql");
  bench.write(
    "1_a.ts",
    'export const up = async (client) => { await client.query("COMMIT; BEGIN"); };\nexport const down = null;\n',
  );
  await assert.rejects(bench.apply(), /ended the transaction that it ran in/);
  assert.deepEqual(await bench.history(), []);
});

test("a table that waits for deferred checks cannot be altered, and the way out works", async () => {
  using bench = await makeBench(cluster);
  const deferred = "REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED";
  bench.migration("1_a", `CREATE TABLE a (id int PRIMARY KEY, of int ${deferred})`, "DROP TABLE a");
  const up = (between: string) => `INSERT INTO a VALUES (1, 1);\n${between}\nALTER TABLE a ADD COLUMN b int;`;
  bench.migration("2_b", up(""), "SELECT 1");
  await assert.rejects(
    bench.apply(),
    /2_b\.sql:4, statement 2 of 2.*55006: .*Way out: put SET CONSTRAINTS ALL IMMEDIATE; before this statement/s,
  );
  bench.migration("2_b", up("SET CONSTRAINTS ALL IMMEDIATE;"), "SELECT 1");
  await bench.apply();
  assert.deepEqual(await bench.history(), ["1_a", "2_b"]);
});

test("a query of a TypeScript migration that nobody awaits counts, and its failure is the migration's", async () => {
  using bench = await makeBench(cluster);
  const module = (body: string) =>
    `export const up = async (client) => { await client.query("CREATE TABLE a (id int)"); ${body} };\nexport const down = "DROP TABLE a";\n`;
  bench.write("1_a.ts", module('client.query("INSERT INTO nowhere VALUES (1)");'));
  await assert.rejects(bench.apply(), /1_a \(up\) failed at migrations\/1_a\.ts.*42P01.*"nowhere"/s);
  assert.deepEqual(await bench.query("SELECT to_regclass('a')"), [null]);
  bench.write("1_a.ts", module('client.query("INSERT INTO a VALUES (1)");'));
  await bench.apply();
  assert.deepEqual(await bench.query("SELECT id FROM a"), [1]);
});

test("what a TypeScript migration throws where nobody can catch it is the migration's failure", async () => {
  using bench = await makeBench(cluster);
  for (const stray of [
    'setTimeout(() => { throw new Error("no luck") }, 5); await client.query("SELECT pg_sleep(0.3)");',
    'Promise.reject(new Error("no luck")); await client.query("SELECT pg_sleep(0.1)");',
  ]) {
    bench.write(
      "1_a.ts",
      `export const up = async (client) => { await client.query("CREATE TABLE a (id int)"); ${stray} };\nexport const down = null;\n`,
    );
    await assert.rejects(
      runUpgrade(bench),
      /Migration 1_a \(up\) failed at \S*1_a\.ts:\nno luck\nNothing is applied/,
    );
    assert.deepEqual(await bench.query("SELECT to_regclass('a')"), [null]);
  }
});

test("what a TypeScript migration throws when it is done stops the run in a sentence", async () => {
  using bench = await makeBench(cluster);
  bench.write(
    "1_a.ts",
    'export const up = async () => { setTimeout(() => { throw new Error("no luck") }, 50) };\nexport const down = null;\n',
  );
  bench.migration("2_b", "CREATE TABLE b (id int); SELECT pg_sleep(0.5);", "DROP TABLE b");
  bench.migration("3_c", "CREATE TABLE c (id int)", "DROP TABLE c");
  await assert.rejects(
    runUpgrade(bench),
    /error: Migration 1_a, which is done, threw afterwards: no luck\n.*applied/,
  );
  assert.deepEqual(await bench.history(), ["1_a", "2_b"]);
});

/** In a process of its own: the test's runner listens for stray errors itself. */
async function runUpgrade(bench: Bench): Promise<void> {
  const { ended, output } = startUpgrade(bench);
  if ((await ended) !== 0) throw new Error(output());
}

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { revertMigration } from "../../runner/migrations/run/revert.ts";
import { type Bench, makeBench } from "../support/migrations.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
before(async () => {
  cluster = await startThrowawayCluster();
});
after(() => cluster.close());

function three(bench: Bench): void {
  bench.migration("1_a", "CREATE TABLE a (id int PRIMARY KEY)", "DROP TABLE a");
  bench.migration("2_b", "ALTER TABLE a ADD COLUMN name text", "ALTER TABLE a DROP COLUMN name");
  bench.migration("3_c", "CREATE INDEX a_name ON a (name)", "DROP INDEX a_name");
}

test("a baseline that moves forward reverts nothing, and one that moves back lets records revert again", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await bench.apply();
  await bench.apply({ baseline: "2_b" });
  const request = { access: { owner: bench.owner }, settings: defaultSettings, log: () => {} };
  assert.equal(await revertMigration(request, "2_b"), "in baseline");
  assert.deepEqual(await bench.history(), ["1_a", "2_b", "3_c"]);
  await bench.apply({ baseline: null });
  assert.equal(await revertMigration(request, "3_c"), "reverted");
});

test("a baseline whose files were squashed into one leaves the old history alone", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await bench.apply();
  bench.remove("1_a.sql");
  bench.remove("2_b.sql");
  const { applied } = await bench.apply({ baseline: "3_c" });
  assert.deepEqual(applied, []);
});

test("a database that has the schema is adopted after a comparison, whatever tool made it", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await bench.query("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)");
  await bench.query("CREATE TABLE a (id int PRIMARY KEY, name text)");
  const { applied } = await bench.apply({ baseline: "2_b", adopt: true });
  assert.deepEqual(applied, ["3_c"]);
  assert.deepEqual(await bench.history(), ["1_a", "2_b", "3_c"]);
});

test("a database that has another schema is not adopted, and the difference is shown", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await bench.query("CREATE TABLE a (id int PRIMARY KEY, name varchar(10))");
  await assert.rejects(bench.apply({ baseline: "2_b", adopt: true }), (error: Error) => {
    assert.match(
      error.message,
      /cannot be adopted.*table public\.a differs: found "name character varying\(10\)", expected "name text"/s,
    );
    return true;
  });
  assert.deepEqual(await bench.history(), []);
});

test("adopt on an empty database applies everything", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  const { applied } = await bench.apply({ baseline: "2_b", adopt: true });
  assert.equal(applied.length, 3);
});

test("a migration that names its database is adopted, and what fails on the scratch server says so", async () => {
  using bench = await makeBench(cluster);
  const { database, user } = bench.owner;
  bench.migration(
    "1_a",
    `CREATE TABLE a (id int); ALTER DATABASE ${database} SET work_mem = '8MB'`,
    "DROP TABLE a",
  );
  bench.migration("2_b", `GRANT CONNECT ON DATABASE ${database} TO ${user}`, "SELECT 1");
  await bench.query("CREATE TABLE a (id int)");
  await bench.apply({ baseline: "2_b", adopt: true });
  assert.deepEqual(await bench.history(), ["1_a", "2_b"]);
  using other = await makeBench(cluster);
  other.migration("1_a", "ALTER DATABASE elsewhere SET work_mem = '8MB'", "SELECT 1");
  await other.query("CREATE TABLE a (id int)");
  await assert.rejects(
    other.apply({ baseline: "1_a", adopt: true }),
    /On the scratch server, where the migrations up to the baseline are built from empty: Migration 1_a.*3D000/s,
  );
});

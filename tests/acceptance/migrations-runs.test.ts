import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { withClient } from "../../runner/connection.ts";
import { revertMigration } from "../../runner/migrations/revert.ts";
import { defaultSettings } from "../../runner/migrations/settings.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../../runner/server/throwaway-cluster.ts";
import { makeBench } from "../support/migrations.ts";

let cluster: ThrowawayCluster;
before(async () => {
  cluster = await startThrowawayCluster();
});
after(() => cluster.close());

test("pending migrations are applied in order of their revisions, once", async () => {
  using bench = await makeBench(cluster);
  bench.migration("10_b", "CREATE TABLE b (a_id int REFERENCES a)", "DROP TABLE b");
  bench.migration("9_a", "CREATE TABLE a (id int PRIMARY KEY)", "DROP TABLE a");
  assert.deepEqual((await bench.apply()).applied, ["9_a", "10_b"]);
  assert.deepEqual((await bench.apply()).applied, []);
  assert.deepEqual(await bench.history(), ["9_a", "10_b"]);
});

test("a failing migration names place and reason, leaves nothing behind and keeps those before it", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int PRIMARY KEY, name text)", "DROP TABLE a");
  bench.migration(
    "2_b",
    "INSERT INTO a VALUES (1, 'x');\n\n-- again\nINSERT INTO a\nVALUES (1, 'y');\nSELECT 1;",
    "DELETE FROM a",
  );
  await assert.rejects(bench.apply(), (error: Error) => {
    assert.match(error.message, /2_b \(up\) failed at migrations\/2_b\.sql:5, statement 2 of 3/);
    assert.match(error.message, /23505: duplicate key value/);
    assert.match(error.message, /Detail: Key \(id\)=\(1\) already exists/);
    assert.match(error.message, /Applied now: 1, head 1_a; still to apply: 1/);
    return true;
  });
  assert.deepEqual(await bench.query("SELECT count(*)::int FROM a"), [0]);
  assert.deepEqual(await bench.history(), ["1_a"]);
});

test("COPY takes its rows from the file, and psql's restrict lines are skipped", async () => {
  using bench = await makeBench(cluster);
  bench.migration(
    "1_a",
    "\\restrict abc\nCREATE TABLE a (id int, t text);\nCOPY a FROM stdin;\n1\t-- migrate: down\n2\tüñ;\n\\.\nCOPY a (id) FROM stdin;\n3\n\\.\nCREATE INDEX ON a (id);\n\\unrestrict abc",
    "DROP TABLE a",
  );
  await bench.apply();
  assert.deepEqual(await bench.query("SELECT id || coalesce(t, '') FROM a ORDER BY id"), [
    "1-- migrate: down",
    "2üñ;",
    "3",
  ]);
});

test("what a file sets for its session reaches neither the next file nor the bookkeeping", async () => {
  using bench = await makeBench(cluster);
  await withClient(bench.admin, (client) => client.query(`GRANT pg_monitor TO ${bench.owner.user}`));
  bench.migration(
    "1_a",
    "SELECT set_config('search_path', '', false); SET statement_timeout = 1; SET ROLE pg_monitor;",
    "SELECT 1",
  );
  bench.migration(
    "2_b",
    "CREATE TABLE a AS SELECT current_setting('search_path') || current_setting('statement_timeout')",
    "DROP TABLE a",
  );
  await bench.apply();
  assert.deepEqual(await bench.query("SELECT * FROM public.a"), ['"$user", public0']);
});

test("a migration is taken back by the script that the database holds, once", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  await bench.apply();
  bench.remove("1_a.sql");
  const request = { access: { owner: bench.owner }, settings: defaultSettings, log: () => {} };
  assert.equal(await revertMigration(request, "1_a"), "reverted");
  assert.equal(await revertMigration(request, "1_a"), "absent");
  assert.deepEqual(await bench.query("SELECT to_regclass('a')"), [null]);
});

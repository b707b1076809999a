import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { withClient } from "../../runner/postgres/connection.ts";
import { connectionUrl } from "../support/databases.ts";
import { type Bench, callCommand, makeBench } from "../support/migrations.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
before(async () => {
  cluster = await startThrowawayCluster();
});
after(() => cluster.close());

function three(bench: Bench): void {
  for (const number of [1, 2, 3])
    bench.migration(`0${number}_t${number}`, `CREATE TABLE t${number} (id int)`, `DROP TABLE t${number}`);
}

test("upgrade and downgrade take names, prefixes, steps and zero, and need no files to go back", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  assert.equal((await bench.run("upgrade", "02")).code, 0);
  assert.deepEqual(await bench.history(), ["01_t1", "02_t2"]);
  assert.equal((await bench.run("upgrade", "+1")).code, 0);
  assert.equal((await bench.run("upgrade")).stdout, "0 applied, head 03_t3\n");
  for (const number of [1, 2, 3]) bench.remove(`0${number}_t${number}.sql`);
  assert.equal((await bench.run("downgrade", "-1")).code, 0);
  assert.deepEqual(await bench.history(), ["01_t1", "02_t2"]);
  assert.match((await bench.run("downgrade", "-3")).stderr, /not 3 migrations to go back: 2/);
  assert.match((await bench.run("downgrade", "07")).stderr, /no revision "07"/);
  assert.equal((await bench.run("downgrade", "0")).code, 0);
  assert.deepEqual(await bench.query("SELECT to_regclass('t1')"), [null]);
});

test("a revision that says nothing, or one too many, is refused", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  assert.match((await bench.run("upgrade", "01", "02")).stderr, /at most one revision/);
  assert.match((await bench.run("downgrade", "01", "02")).stderr, /one revision/);
  assert.equal((await bench.run("upgrade", "01")).code, 0);
  for (const command of ["upgrade", "downgrade"])
    assert.match((await bench.run(command, "")).stderr, /There is no revision ""/);
});

test("a user without the right to run migrations, or to read their history, is told so", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await withClient(bench.superuser, (client) =>
    client.query("CREATE ROLE stranger_to_migrations LOGIN PASSWORD 'secret'"),
  );
  const url = connectionUrl({ ...bench.owner, user: "stranger_to_migrations" });
  const words = ["--url", url, "--directory", bench.directory];
  const refusal = /"stranger_to_migrations" lacks a right in .*permission denied.* connect as that role/;
  for (const command of ["upgrade", "status", "downgrade"]) {
    const failed = await callCommand(command, command === "downgrade" ? ["0", ...words] : words);
    assert.equal(failed.code, 1, command);
    assert.match(failed.stderr, refusal);
    if (command === "upgrade") await bench.run("upgrade");
  }
});

test("going back one step takes what was applied last, though its revision is older", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  bench.remove("02_t2.sql");
  await bench.run("upgrade");
  bench.migration("02_late", "CREATE TABLE late (id int)", "DROP TABLE late");
  const refused = await bench.run("upgrade");
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /Older than what is applied already, and not applied: 02_late/);
  const applied = await bench.run("upgrade", "--out-of-order", "apply");
  assert.equal(applied.code, 0);
  assert.match(applied.stderr, /They are applied now, since outOfOrder is "apply"/);
  await bench.run("downgrade", "-1");
  assert.deepEqual(await bench.history(), ["01_t1", "03_t3"]);
});

test("status tells how each migration stands and ends with 3 until all is applied", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  assert.equal((await bench.run("status")).code, 3);
  await bench.run("upgrade");
  assert.equal((await bench.run("status")).code, 0);
  bench.migration("02_t2", "CREATE TABLE t2 (id bigint)", "DROP TABLE t2");
  bench.remove("01_t1.sql");
  bench.migration("04_t4", "SELECT 4", "SELECT 4");
  bench.migration("025_late", "SELECT 25", "SELECT 25");
  const { code, stdout } = await bench.run("status", "--json");
  const states = JSON.parse(stdout).migrations.map((one: { name: string; state: string }) => [
    one.name,
    one.state,
  ]);
  assert.equal(code, 3);
  assert.deepEqual(states, [
    ["01_t1", "unknown"],
    ["02_t2", "edited"],
    ["03_t3", "applied"],
    ["04_t4", "pending"],
    ["025_late", "pending"],
  ]);
});

test("status shows as missing what the stack says is applied, its head even without a file", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await bench.run("upgrade", "01");
  bench.migration("04_t4", "SELECT 4", "SELECT 4");
  const databaseUrl = connectionUrl(bench.owner);
  const facts = { name: "dev", config: {}, outputs: { databaseUrl, admin: bench.admin } };
  const states = async (head: string) => {
    const words = ["--stack", "dev", "--json", "--directory", bench.directory];
    const outputs = { ...facts.outputs, migrations: { head } };
    const found = await callCommand("status", words, {}, "", { ...facts, outputs });
    assert.equal(found.code, 3);
    const rows = JSON.parse(found.stdout).migrations as { name: string; state: string }[];
    return Object.fromEntries(rows.map(({ name, state }) => [name, state]));
  };
  const others = { "01_t1": "applied", "02_t2": "missing", "04_t4": "pending" };
  assert.deepEqual(await states("03_t3"), { ...others, "03_t3": "missing" });
  assert.deepEqual(await states("01_t1"), { ...others, "02_t2": "pending", "03_t3": "pending" });
  bench.remove("03_t3.sql");
  assert.deepEqual(await states("03_t3"), { ...others, "03_t3": "missing" });
});

test("an edited migration is refused with both checksums and the ways out, until repair accepts it", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await bench.run("upgrade");
  bench.migration("02_t2", "CREATE TABLE t2 (id bigint)", "DROP TABLE t2");
  const refused = await bench.run("upgrade");
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /02_t2 was edited .* checksum [0-9a-f]{12}, .* has [0-9a-f]{12}\. Either .* repair 02_t2/,
  );
  const shown = await bench.run("repair", "02_t2");
  assert.equal(shown.code, 2);
  assert.match(shown.stderr, /- CREATE TABLE t2 \(id int\)\n *\+ CREATE TABLE t2 \(id bigint\)/);
  assert.match(shown.stderr, /--yes/);
  assert.equal((await bench.run("repair", "02_t2", "--yes")).code, 0);
  assert.equal((await bench.run("upgrade")).code, 0);
});

test("a down script alone may be edited: the new one is stored, and nothing runs", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await bench.run("upgrade");
  bench.migration("03_t3", "CREATE TABLE t3 (id int)", "DROP TABLE t3 CASCADE");
  assert.equal((await bench.run("upgrade")).code, 0);
  assert.deepEqual(await bench.query("SELECT down FROM pgstack.migrations WHERE name = '03_t3'"), [
    "-- migrate: down\nDROP TABLE t3 CASCADE",
  ]);
});

test("a renamed file does not run again", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await bench.run("upgrade");
  bench.remove("03_t3.sql");
  bench.migration("04_t3", "CREATE TABLE t3 (id int)", "DROP TABLE t3");
  assert.match((await bench.run("upgrade")).stderr, /looks like a renamed file/);
});

test("a stack's target is named after steps from what is applied", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  await bench.run("upgrade", "02");
  const target = async (...words: string[]) => (await bench.run("migrations-target", ...words)).stdout.trim();
  assert.equal(await target("down", "-1"), "01_t1");
  assert.equal(await target("down", "-2"), "0");
  assert.equal(await target("up", "+1"), "latest");
  assert.equal(await target("up", "02"), "02_t2");
});

test("a target that the stack's update would stop at is refused before the stack's configuration changes", async () => {
  using bench = await makeBench(cluster);
  three(bench);
  bench.migration("04_t4", "CREATE TABLE t4 (id int)");
  await bench.run("upgrade");
  const irreversible = await bench.run("migrations-target", "down", "-2");
  assert.equal(irreversible.code, 2);
  assert.match(irreversible.stderr, /04_t4 is irreversible/);
  const databaseUrl = connectionUrl(bench.owner);
  const config = { migrations: { baseline: "04_t4" } };
  const facts = { name: "dev", config, outputs: { databaseUrl, admin: bench.admin } };
  const words = ["down", "03", "--stack", "dev", "--directory", bench.directory];
  const refused = await callCommand("migrations-target", words, {}, "", facts);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /lies before the baseline 04_t4/);
});

test("status warns of what is pending by name, line and size of a table that exists, and of no other", async () => {
  using bench = await makeBench(cluster);
  await bench.query("CREATE TABLE big AS SELECT generate_series(1, 1000) AS id");
  await bench.query("ANALYZE big");
  bench.migration("1_a", "CREATE TABLE fresh (id int);\nCREATE INDEX ON fresh (id);", "DROP TABLE fresh");
  bench.migration(
    "2_b",
    "SELECT 1;\nCREATE INDEX ON fresh (id);\nALTER TABLE big DROP COLUMN id;",
    "SELECT 1",
  );
  const { stdout } = await bench.run("status", "--json");
  const { warnings } = JSON.parse(stdout) as { warnings: { where: string; rule: string; message: string }[] };
  assert.deepEqual(
    warnings.map(({ where, rule }) => [where, rule]),
    [[`${bench.directory}/2_b.sql:4`, "drop-column"]],
  );
  assert.match(
    warnings[0]?.message ?? "",
    /"big" \(id\), about 1000 rows, \d+ kB: loses the column's values/,
  );
});

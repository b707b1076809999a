import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { revertMigration } from "../../runner/migrations/run/revert.ts";
import { environmentOf, withClient } from "../../runner/postgres/connection.ts";
import { type Bench, makeBench } from "../support/migrations.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

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

test("the history keeps who applied a migration, when, and how long it took", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int);\nSELECT pg_sleep(0.2);", "DROP TABLE a");
  bench.write("2_b.ts", 'export const up = "SELECT pg_sleep(0.2)";\nexport const down = "SELECT 2";\n');
  await bench.apply();
  const kept = await bench.query(
    `SELECT format('%s %s %s', position, applied_by ~ '^${bench.owner.user} \\(.+@.+\\)$',
       duration BETWEEN '0.2 s' AND '5 s' AND applied_at BETWEEN now() - interval '1 min' AND now())
     FROM pgstack.migrations ORDER BY position`,
  );
  assert.deepEqual(kept, ["1 t t", "2 t t"]);
});

test("timeouts come from the settings, and a script's options go first", async () => {
  using bench = await makeBench(cluster);
  const settings = "current_setting('lock_timeout') || ' ' || current_setting('statement_timeout')";
  bench.migration("1_a", `CREATE TABLE a AS SELECT ${settings} AS t`, "DROP TABLE a");
  bench.migration(
    "2_b",
    `INSERT INTO a SELECT ${settings}`,
    "SELECT 1",
    "lock_timeout=3s statement_timeout=1min",
  );
  bench.migration("3_c", "SELECT pg_sleep(5)", "SELECT 1");
  await assert.rejects(
    bench.apply({ lockTimeout: 2000, statementTimeout: 300 }),
    /3_c\.sql:2, statement 1 of 1.*57014: canceling statement due to statement timeout/s,
  );
  assert.deepEqual(await bench.query("SELECT t FROM a"), ["2s 300ms", "3s 1min"]);
});

test("a syntax error is shown at its line, though the script goes to the server in one message with its record", async () => {
  using bench = await makeBench(cluster);
  for (const [up, line] of [
    ["CREATE TABLE a (id int);\nSELEC 1;", 3],
    ["SELECT 1;\nSELECT 1 +", 3],
    ["CREATE TABLE b (id int;", 2],
  ]) {
    bench.migration("1_a", up as string, "SELECT 1");
    await assert.rejects(
      bench.apply(),
      new RegExp(`1_a\\.sql:${line}, statement .*42601: syntax error`, "s"),
    );
  }
  assert.deepEqual(await bench.query("SELECT to_regclass('a')"), [null]);
});

test("what is checked at the end of the transaction fails the migration", async () => {
  using bench = await makeBench(cluster);
  const deferred = "REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED";
  bench.migration(
    "1_a",
    `CREATE TABLE a (id int PRIMARY KEY, of int ${deferred});\nINSERT INTO a VALUES (1, 2);`,
    "DROP TABLE a",
  );
  await assert.rejects(
    bench.apply(),
    /1_a \(up\) failed at migrations\/1_a\.sql:\n.*23503.*Key \(of\)=\(2\)/s,
  );
  assert.deepEqual(await bench.history(), []);
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
  await withClient(bench.superuser, (client) => client.query(`GRANT pg_monitor TO ${bench.owner.user}`));
  bench.migration(
    "1_a",
    "SELECT set_config('search_path', '', false); SET statement_timeout = '1min'; SET ROLE pg_monitor;",
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

test("a script without a transaction is split and run as PostgreSQL would, whatever it sets", async () => {
  using bench = await makeBench(cluster);
  await withClient(bench.superuser, (client) => client.query(`GRANT pg_monitor TO ${bench.owner.user}`));
  const up = [
    "SELECT set_config('search_path', '', false);",
    "CREATE TABLE public.a (t text DEFAULT ';');",
    "DO $x$ BEGIN PERFORM ';'; EXECUTE $_$ INSERT INTO public.a VALUES (';1') $_$; END $x$;",
    "INSERT INTO public.a VALUES (E'\\';'), (';') /* ; /* nested; */ ; */;",
    "CREATE FUNCTION public.f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;",
    "COPY public.a FROM stdin;\n-- migrate: down\n\\.",
    "SET ROLE pg_monitor;",
    "SELECT ';'",
  ];
  bench.migration("1_a", up.join("\n"), "DROP FUNCTION f(); DROP TABLE a", "transaction=off");
  bench.migration("2_b", "INSERT INTO a VALUES (current_user || current_setting('search_path'))", "SELECT 1");
  await bench.apply();
  const owner = `${bench.owner.user}"$user", public`;
  assert.deepEqual(await bench.query("SELECT t FROM a"), [";1", "';", ";", "-- migrate: down", owner]);
  assert.equal((await bench.run("downgrade", "0")).code, 0);
  assert.deepEqual(await bench.query("SELECT to_regclass('a')"), [null]);
});

test("a dump takes its history along: nothing runs where all is there, the rest where it was taken half way", async () => {
  using bench = await makeBench(cluster);
  using copy = await makeBench(cluster);
  using early = await makeBench(cluster);
  const move = async (to: Bench) => {
    const programs = cluster.place.programs.directory;
    const options = { encoding: "utf8", env: { ...process.env, ...environmentOf(bench.superuser) } } as const;
    const dump = execFileSync(join(programs, "pg_dump"), ["--no-owner", "--no-acl"], options);
    execFileSync(join(programs, "psql"), ["--quiet", "--set=ON_ERROR_STOP=1"], {
      env: { ...process.env, ...environmentOf(to.owner) },
      input: dump,
      stdio: ["pipe", "ignore", "inherit"],
    });
    for (const name of ["1_a", "2_b"])
      to.migration(name, `CREATE TABLE t${name} (id int)`, `DROP TABLE t${name}`);
  };
  bench.migration("1_a", "CREATE TABLE t1_a (id int)", "DROP TABLE t1_a");
  await bench.apply();
  await move(early);
  bench.migration("2_b", "CREATE TABLE t2_b (id int)", "DROP TABLE t2_b");
  await bench.apply();
  await move(copy);
  assert.deepEqual((await early.apply()).applied, ["2_b"]);
  assert.deepEqual((await copy.apply()).applied, []);
  assert.equal((await copy.run("downgrade", "-1")).code, 0);
  assert.deepEqual(await copy.history(), ["1_a"]);
});

test("a migration is reverted by the script that the database holds, once, as the administrator if the password is new", async () => {
  using bench = await makeBench(cluster);
  bench.migration("1_a", "CREATE TABLE a (id int)", "DROP TABLE a");
  await bench.apply();
  bench.remove("1_a.sql");
  const owner = { ...bench.owner, password: "the one before" };
  const request = { access: { owner, admin: bench.admin }, settings: defaultSettings, log: () => {} };
  const outdated = { owner, admin: { ...bench.admin, password: "as well" } };
  await assert.rejects(
    revertMigration({ ...request, access: outdated }, "1_a"),
    /password authentication failed.*1_a stays applied.*both changed.*run \.\/pgstack up/s,
  );
  assert.equal(await revertMigration(request, "1_a"), "reverted");
  assert.equal(await revertMigration(request, "1_a"), "absent");
  assert.deepEqual(await bench.query("SELECT to_regclass('a')"), [null]);
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type ConnectionSettings, environmentOf } from "../../runner/postgres/connection.ts";
import { findPrograms } from "../../runner/postgres/programs.ts";
import { runCommand, sql, urlOf } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
const folder = mkdtempSync(join(tmpdir(), "pgstack-parts-"));

before(async () => {
  cluster = await startThrowawayCluster({ admin: "superuser" }); // foreign data wrappers, and an extension of the test's own
  await sql(cluster.admin, "CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE reader; CREATE ROLE absent");
});
after(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
});

const on = (database: string): ConnectionSettings => ({ ...cluster.admin, database });
async function makeDatabase(name: string, content = ""): Promise<void> {
  await sql(cluster.admin, `CREATE DATABASE ${name} OWNER app`);
  if (content !== "") await sql(on(name), content);
}
const dump = (database: string, name: string, ...words: string[]) =>
  runCommand([
    "dump",
    "--url",
    urlOf(cluster, database),
    "--out",
    join(folder, name),
    "--overwrite",
    "--json",
    ...words,
  ]);
const restore = (database: string, name: string, ...words: string[]) =>
  runCommand([
    "restore",
    join(folder, name),
    "--url",
    urlOf(cluster, database),
    "--owner",
    "app",
    "--json",
    ...words,
  ]);
interface Report {
  readonly rows: number;
  readonly leftOut: string[];
  readonly notes: string[];
  readonly missing?: string[];
  readonly tables: number;
}
async function done(running: ReturnType<typeof dump>): Promise<Report> {
  const { code, stdout, stderr } = await running;
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Report;
}

/** Puts an extension with configuration tables where the server looks for extensions, as packages of pg_cron or pg_partman do. */
function installExtension(): void {
  const directory = join(cluster.place.programs.directory, "pg_config");
  const share = execFileSync(directory, ["--sharedir"], { encoding: "utf8" }).trim();
  const place = join(share, "extension");
  writeFileSync(
    join(place, "pgstack_jobs.control"),
    "default_version = '1.0'\nrelocatable = false\nschema = jobs\n",
  );
  writeFileSync(
    join(place, "pgstack_jobs--1.0.sql"),
    `CREATE TABLE job (id bigserial PRIMARY KEY, what text NOT NULL);
     CREATE TABLE setting (name text PRIMARY KEY, value text, own boolean NOT NULL DEFAULT true);
     INSERT INTO setting VALUES ('version', '1', false);
     SELECT pg_catalog.pg_extension_config_dump('job', '');
     SELECT pg_catalog.pg_extension_config_dump('job_id_seq', '');
     SELECT pg_catalog.pg_extension_config_dump('setting', 'WHERE own');\n`,
  );
}

test("rows and sequences of an extension's configuration tables arrive, and their loss is refused", async (t) => {
  installExtension();
  t.after(() => {
    const share = execFileSync(join(cluster.place.programs.directory, "pg_config"), ["--sharedir"], {
      encoding: "utf8",
    });
    for (const file of ["pgstack_jobs.control", "pgstack_jobs--1.0.sql"])
      rmSync(join(share.trim(), "extension", file));
  });
  const make =
    "CREATE SCHEMA jobs; CREATE EXTENSION pgstack_jobs SCHEMA jobs; CREATE TABLE t AS SELECT 1 AS id; ALTER TABLE t OWNER TO app";
  await makeDatabase(
    "jobs_source",
    `${make}; INSERT INTO jobs.job (what) SELECT 'job ' || g FROM generate_series(1, 5) g; INSERT INTO jobs.setting VALUES ('mine', 'x')`,
  );
  await makeDatabase("jobs_target", make);
  await sql(on("jobs_target"), "DELETE FROM t");
  for (const format of ["custom", "directory"]) {
    await done(dump("jobs_source", `jobs.${format}`, "--format", format));
    await done(restore("jobs_target", `jobs.${format}`, ...(format === "custom" ? [] : ["--overwrite"])));
    const jobs = await sql(
      on("jobs_target"),
      "INSERT INTO jobs.job (what) VALUES ('next') RETURNING id::int, (SELECT count(*)::int FROM jobs.job) AS before",
    );
    assert.deepEqual(jobs, [{ id: 6, before: 5 }]);
    const settings = await sql(on("jobs_target"), "SELECT name, own FROM jobs.setting ORDER BY name");
    assert.deepEqual(settings, [
      { name: "mine", own: true },
      { name: "version", own: false },
    ]);
  }
  rmSync(join(folder, "jobs.custom.json")); // a dump that came from elsewhere
  const refused = await restore("jobs_target", "jobs.custom");
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /rows of jobs\.job\n/);
  assert.match(refused.stderr, /rows of jobs\.setting\n/);
  await done(restore("jobs_target", "jobs.custom", "--overwrite"));
  assert.deepEqual(await sql(on("jobs_target"), "SELECT count(*)::int AS n FROM jobs.job"), [{ n: 5 }]);
});

test("a user mapping of a role that the target lacks is left out and named, and the others arrive", async () => {
  const foreign = `CREATE EXTENSION postgres_fdw; CREATE SERVER fs FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'x');
    CREATE USER MAPPING FOR absent SERVER fs OPTIONS (user 'a', password 's3cret'); CREATE USER MAPPING FOR reader SERVER fs OPTIONS (user 'r');
    CREATE USER MAPPING FOR PUBLIC SERVER fs OPTIONS (user 'p'); CREATE TABLE t (id int)`;
  await makeDatabase("mapped", foreign);
  await done(dump("mapped", "mapped.dump"));
  await sql(on("mapped"), "DROP USER MAPPING FOR absent SERVER fs");
  await sql(cluster.admin, "DROP ROLE absent");
  await makeDatabase("unmapped");
  const report = await done(restore("unmapped", "mapped.dump"));
  assert.deepEqual(report.leftOut, ["USER MAPPING absent SERVER fs"]);
  const names = await sql(on("unmapped"), "SELECT usename FROM pg_user_mappings ORDER BY 1");
  assert.deepEqual(names, [{ usename: "public" }, { usename: "reader" }]);
});

test("a foreign dump's rights, default privileges and settings of its database get a line each in the notes", async () => {
  await makeDatabase(
    "foreign_source",
    `CREATE TABLE t (id int); GRANT SELECT ON t TO reader; ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO reader;
     ALTER DATABASE foreign_source SET work_mem = '9MB'`,
  );
  await makeDatabase("foreign_target");
  const { directory } = await findPrograms("pg_dump", { major: cluster.place.programs.major });
  const env = { ...process.env, ...environmentOf(on("foreign_source")) };
  for (const more of [[], ["--create"]]) {
    const args = [...more, "--format=custom", `--file=${join(folder, "foreign.dump")}`];
    execFileSync(join(directory, "pg_dump"), args, { env });
    const { notes } = await done(restore("foreign_target", "foreign.dump", "--overwrite"));
    assert.match(notes.join("\n"), /^the dump's rights \(1\) were left out/m);
    assert.match(notes.join("\n"), /^the dump's default privileges \(1\) were left out/m);
    assert.match(notes.join("\n"), /^the dump's settings of its database \(1\) were left out/m);
  }
});

const part = `
  CREATE SCHEMA "UPPER"; CREATE TABLE "UPPER"."Pay" AS SELECT '4111 1111' AS card; CREATE TABLE public.pay AS SELECT 1 AS id;
  CREATE TABLE log (id int, at date) PARTITION BY RANGE (at);
  CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (id);
  CREATE TABLE log_1_1 PARTITION OF log_1 DEFAULT; INSERT INTO log VALUES (1, '2024-05-05');
  CREATE TABLE parent AS SELECT 1 AS id; CREATE TABLE child () INHERITS (parent); INSERT INTO child VALUES (2);
  CREATE VIEW seen AS SELECT * FROM parent`;

test("a pattern that matches nothing is refused with the way out, and nothing is written", async () => {
  await makeDatabase("parts", part);
  for (const words of [
    ["--exclude-table-data", "UPPER.Pay"],
    ["--table", "pay", "--table", "UPPER.Pay"],
    ["--table", "Pay*", "--table", '"PAY"'],
    ["--exclude-table-data", "pay", "--exclude-table-data", "nothing"],
    ["--exclude-table-data", "seen"],
  ]) {
    const { code, stderr } = await dump("parts", "none.dump", ...words);
    assert.equal(code, 2, `${words.join(" ")}: ${stderr}`);
    assert.match(stderr, /matches no table/);
    if (words.includes("UPPER.Pay")) assert.match(stderr, /quote it, as in '"UPPER"\."Pay"'/);
  }
  await assert.rejects(async () => execFileSync("test", ["-e", join(folder, "none.dump")]));
});

/** Tables whose rows are in a dump, with their number. */
async function rowsIn(...words: string[]): Promise<Record<string, number>> {
  await done(dump("parts", "part.dump", ...words));
  const report = JSON.parse(execFileSync("cat", [join(folder, "part.dump.json")], { encoding: "utf8" }));
  return Object.fromEntries(
    (report.tableRows as { schema: string; name: string; rows: number }[]).map(({ schema, name, rows }) => [
      `${schema}.${name}`,
      rows,
    ]),
  );
}

test("a quoted pattern finds its table, wildcards find theirs, and a parent takes its children along", async () => {
  assert.deepEqual(await rowsIn("--exclude-table-data", '"UPPER"."Pay"', "--exclude-table-data", "log"), {
    "public.child": 1,
    "public.parent": 1,
    "public.pay": 1,
  });
  assert.deepEqual(await rowsIn("--table", "lo?"), { "public.log_1_1": 1 });
  assert.deepEqual(await rowsIn("--table", "parent"), { "public.child": 1, "public.parent": 1 });
  assert.deepEqual(await rowsIn("--table", '"UPPER".*', "--table", "(pay|nobody)"), {
    "UPPER.Pay": 1,
    "public.pay": 1,
  });
  assert.deepEqual(await rowsIn("--table", "P*", "--exclude-table-data", "child"), {
    "public.parent": 1,
    "public.pay": 1,
  });
});

const needing = `
  CREATE SCHEMA shop; CREATE TYPE shop.state AS ENUM ('a'); CREATE DOMAIN shop.positive AS int CHECK (VALUE > 0);
  CREATE FUNCTION shop.next_code() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE shop.codes;
  CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE TABLE shop.customers (id int PRIMARY KEY);
  CREATE TABLE shop.orders (id serial PRIMARY KEY, state shop.state[], amount shop.positive, code int DEFAULT shop.next_code(),
    number int DEFAULT nextval('shop.codes'), customer int REFERENCES shop.customers);
  CREATE TRIGGER touch BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
  CREATE TABLE shop.plain (id serial PRIMARY KEY, note text); INSERT INTO shop.plain (note) VALUES ('x'), ('y')`;

test("a dump of some tables names what these need and it does not hold; the restore makes their schemas", async () => {
  await makeDatabase("needing", needing);
  const report = await done(dump("needing", "orders.dump", "--table", "shop.orders"));
  assert.deepEqual(report.missing, [
    "function shop.next_code()",
    "function shop.touch()",
    "sequence shop.codes",
    "table shop.customers",
    "type shop.positive",
    "type shop.state",
  ]);
  const text = await runCommand([
    "dump",
    "--url",
    urlOf(cluster, "needing"),
    "--out",
    join(folder, "text.dump"),
    "--table",
    "shop.orders",
  ]);
  assert.match(text.stdout, /needed, and not in the dump: type shop\.state/);
  await makeDatabase("needy");
  const failed = await restore("needy", "orders.dump");
  assert.notEqual(failed.code, 0);
  assert.match(
    failed.stderr,
    /The dump holds some tables only, and lacks what they need:[\s\S]*type shop\.state/,
  );
  assert.deepEqual((await done(dump("needing", "plain.dump", "--table", "shop.plain"))).missing, []);
  const plain = await done(restore("needy", "plain.dump"));
  assert.equal(plain.rows, 2);
  assert.deepEqual(await sql(on("needy"), "INSERT INTO shop.plain (note) VALUES ('z') RETURNING id"), [
    { id: 3 },
  ]);
  const [owner] = await sql(
    on("needy"),
    "SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = 'shop'",
  );
  assert.equal(owner?.owner, "app");
  assert.equal((await done(dump("needing", "whole.dump"))).missing?.length, 0);
});

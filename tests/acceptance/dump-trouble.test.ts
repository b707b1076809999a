import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startCluster } from "../../runner/postgres/cluster.ts";
import { serverProcess } from "../../runner/postgres/pid-file.ts";
import { endOf, runCommand, sql, startCommand, urlOf } from "../support/databases.ts";
import { mountSmallDisk } from "../support/small-disk.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

let cluster: ThrowawayCluster;
let folder: string;

const on = (database: string) => ({ ...cluster.admin, database });
const dumpArgs = (path: string) => [
  ...["dump", "--url", urlOf(cluster, "source"), "--out", path],
  ...["--compression", "gzip:9", "--json"],
];
const restoreArgs = (database: string) => [
  ...["restore", join(folder, "good.dump"), "--url", urlOf(cluster, database)],
  ...["--owner", "app", "--overwrite"],
];
const rowsIn = async (database: string, table: string) =>
  (await sql(on(database), `SELECT count(*)::int AS n FROM ${table}`))[0]?.n;
const halfFilled = () =>
  sql(cluster.admin, "SELECT datname FROM pg_database WHERE datname LIKE 'pgstack\\_restore\\_%'");

before(async () => {
  cluster = await startThrowawayCluster();
  folder = mkdtempSync(join(tmpdir(), "pgstack-trouble-"));
  await sql(cluster.admin, "CREATE ROLE app");
  for (const name of ["source", "target"]) await sql(cluster.admin, `CREATE DATABASE ${name}`);
  await sql(
    on("source"),
    "CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 20) AS filler FROM generate_series(1, 100000) g",
  );
  await sql(on("target"), "CREATE TABLE before AS SELECT 1 AS a");
  const made = await runCommand([
    "dump",
    "--url",
    urlOf(cluster, "source"),
    "--out",
    join(folder, "good.dump"),
  ]);
  assert.equal(made.code, 0, made.stderr);
});

after(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Ends the server as a crash does, and starts it again once the command is done. */
async function crashUnder(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  const ended = endOf(child);
  process.kill(serverProcess(cluster.place) ?? 0, "SIGQUIT");
  const result = await ended;
  await until(() => serverProcess(cluster.place) === undefined);
  await startCluster(cluster.place);
  return result;
}

test("a server that goes away during a dump leaves nothing under its name, and the next run dumps", async () => {
  const path = join(folder, "lost.dump");
  const child = startCommand(dumpArgs(path));
  await until(() => readdirSync(folder).some((name) => name.startsWith("lost.dump.partial")));
  const { code, stderr } = await crashUnder(child);
  assert.equal(code, 1);
  assert.match(stderr, /The dump of database "source"[\s\S]*server[\s\S]*Nothing is left at .*lost\.dump/);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("lost")),
    [],
  );
  const next = await runCommand(dumpArgs(path));
  assert.equal(next.code, 0, next.stderr);
  assert.equal(JSON.parse(next.stdout).rows, 100_000);
});

test("a server that goes away during a restore leaves the target as it was, and the next run restores", async () => {
  const child = startCommand(restoreArgs("target"));
  await until(async () => (await halfFilled()).length > 0);
  const { code, stderr } = await crashUnder(child);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /database "target".*is as it was before[\s\S]*pgstack_restore_\w+ is left .*next restore/,
  );
  assert.equal(await rowsIn("target", "before"), 1);
  const next = await runCommand(restoreArgs("target"));
  assert.equal(next.code, 0, next.stderr);
  assert.match(next.stderr, /dropped database pgstack_restore_\w+, left by/);
  assert.equal(await rowsIn("target", "t"), 100_000);
  await until(async () => (await halfFilled()).length === 0);
});

test("a server whose disk is full refuses before, or gives up and keeps the target as it was", async (t) => {
  const disk = mountSmallDisk(folder, 50);
  if (disk === undefined) return t.skip("needs the right to mount a small disk");
  try {
    await sql(cluster.superuser, `CREATE TABLESPACE small LOCATION '${disk.space}'`);
    await sql(cluster.superuser, `CREATE DATABASE cramped TABLESPACE small OWNER ${cluster.admin.user}`);
    await sql(on("cramped"), "CREATE TABLE before AS SELECT 1 AS a");
    const given = await runCommand(restoreArgs("cramped"));
    assert.equal(given.code, 1, given.stderr);
    assert.match(given.stderr, /TABLE DATA public\.t: .*No space left[\s\S]*is as it was before/);
    assert.deepEqual(await halfFilled(), [], given.stderr);
    assert.equal(await rowsIn("cramped", "before"), 1);
    assert.ok(disk.resize(25));
    const refused = await runCommand(restoreArgs("cramped"));
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /uncompressed; the server's disk has .* free in .*space/);
    assert.ok(disk.resize(400));
    const next = await runCommand(restoreArgs("cramped"));
    assert.equal(next.code, 0, next.stderr);
    assert.equal(await rowsIn("cramped", "t"), 100_000);
    await sql(cluster.admin, "DROP DATABASE cramped");
    await until(async () => (await halfFilled()).length === 0);
    await sql(cluster.superuser, "DROP TABLESPACE small");
  } finally {
    await cluster.close();
    disk.remove();
    assert.ok(existsSync(join(folder, "disk")));
  }
});

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startCluster } from "../../runner/postgres/cluster.ts";
import { serverProcess } from "../../runner/postgres/pid-file.ts";
import { endOf, runCommand, sql, startCommand, urlOf } from "../support/databases.ts";
import { mountSmallDisk } from "../support/small-disk.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

/** A table that four sessions load together, and what follows on it. */
const schema = `
  CREATE TABLE large AS SELECT g AS id, repeat(md5(g::text), 8) AS filler FROM generate_series(1, 70000) g;
  ALTER TABLE large ADD PRIMARY KEY (id);
  CREATE TABLE small AS SELECT g AS id FROM generate_series(1, 100) g;
  ALTER TABLE small ADD FOREIGN KEY (id) REFERENCES large;
  CREATE INDEX ON large (filler)`;
/** The servers of tests lose what was committed last when they crash; this one keeps it. */
const settings = { synchronous_commit: "on", full_page_writes: "on" };

let cluster: ThrowawayCluster;
let folder: string;
let dump: string;

const on = (database: string) => ({ ...cluster.admin, database });
const restoreArgs = (database: string) => [
  ...["restore", dump, "--url", urlOf(cluster, database), "--owner", "app"],
  ...["--overwrite", "--jobs", "4", "--json"],
];
const halfFilled = () =>
  sql(cluster.admin, "SELECT datname FROM pg_database WHERE datname LIKE 'pgstack\\_restore\\_%'");
const loading = async () =>
  (await sql(cluster.admin, "SELECT FROM pg_stat_progress_copy WHERE datname LIKE 'pgstack\\_restore\\_%'"))
    .length > 1;
const isAsBefore = async (database: string) =>
  assert.deepEqual(await sql(on(database), "SELECT a FROM before"), [{ a: 1 }]);

async function restores(database: string): Promise<void> {
  const next = await runCommand(restoreArgs(database));
  assert.equal(next.code, 0, next.stderr);
  assert.equal(JSON.parse(next.stdout).rows, 70_100);
  assert.deepEqual(JSON.parse(next.stdout).incomplete, []);
  await until(async () => (await halfFilled()).length === 0);
}

before(async () => {
  cluster = await startThrowawayCluster({ settings });
  folder = mkdtempSync(join(tmpdir(), "pgstack-large-trouble-"));
  dump = join(folder, "dump");
  await sql(cluster.admin, "CREATE ROLE app");
  for (const name of ["source", "target"]) await sql(cluster.admin, `CREATE DATABASE ${name}`);
  await sql(on("source"), schema);
  const made = await runCommand([
    ...["dump", "--url", urlOf(cluster, "source"), "--out", dump],
    ...["--format", "directory", "--compression", "none", "--jobs", "2"],
  ]);
  assert.equal(made.code, 0, made.stderr);
});

after(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A restore whose sessions load the table; another one where it was over before anybody looked. */
async function startLoading(): Promise<{ child: ChildProcess; ended: ReturnType<typeof endOf> }> {
  for (let attempt = 1; attempt <= 10; attempt++) {
    await sql(on("target"), "DROP TABLE IF EXISTS before; CREATE TABLE before AS SELECT 1 AS a");
    const child = startCommand(restoreArgs("target"));
    const ended = endOf(child);
    if (
      (await until(async () => ((await loading()) ? "loads" : child.exitCode !== null && "over"))) === "loads"
    )
      return { child, ended };
  }
  throw new Error("ten restores were over before anybody saw them load");
}

test("a server or a run that is killed while sessions load a table leaves the target as it was, and the next run restores", async () => {
  for (const killed of ["server", "run"] as const) {
    const { child, ended } = await startLoading();
    if (killed === "server") process.kill(serverProcess(cluster.place) ?? 0, "SIGKILL");
    else child.kill("SIGKILL");
    const { code, stderr } = await ended;
    if (killed === "server") {
      assert.equal(code, 1, stderr);
      assert.match(stderr, /TABLE DATA public\.large: .*\n.*"target".*is as it was before/);
      await until(() => serverProcess(cluster.place) === undefined);
      await startCluster(cluster.place);
    }
    await isAsBefore("target");
    await restores("target");
  }
});

test("a disk that is full while sessions load a table gives the restore up, and the next run restores", async (t) => {
  const disk = mountSmallDisk(folder, 22);
  if (disk === undefined) return t.skip("needs the right to mount a small disk");
  try {
    await sql(cluster.superuser, `CREATE TABLESPACE small LOCATION '${disk.space}'`);
    await sql(cluster.superuser, `CREATE DATABASE cramped TABLESPACE small OWNER ${cluster.admin.user}`);
    await sql(on("cramped"), "CREATE TABLE before AS SELECT 1 AS a");
    const given = await runCommand(restoreArgs("cramped"));
    assert.equal(given.code, 1, given.stderr);
    assert.match(
      given.stderr,
      /TABLE DATA public\.large: could not extend file.*No space left[\s\S]*"cramped".*as it was before/,
    );
    assert.deepEqual(await halfFilled(), [], given.stderr);
    await isAsBefore("cramped");
    assert.ok(disk.resize(400));
    await restores("cramped");
    await sql(cluster.superuser, "DROP DATABASE cramped", "DROP TABLESPACE small");
  } finally {
    await cluster.close();
    disk.remove();
  }
});

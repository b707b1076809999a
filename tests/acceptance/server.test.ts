import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startCluster, stopCluster } from "../../runner/postgres/cluster.ts";
import { isReady, serverProcess } from "../../runner/postgres/pid-file.ts";
import { serverUser } from "../../runner/postgres/server-user.ts";
import { sql } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { runs, until } from "../support/wait.ts";

let cluster: ThrowawayCluster;
before(async () => {
  cluster = await startThrowawayCluster();
});
after(() => cluster?.close());

/** Starts the server as the child of a process that never asks how its children end. */
function startUnderCarelessParent(): ChildProcess {
  const { directory, programs } = cluster.place;
  const server = [join(programs.directory, "postgres"), "-D", join(directory, "data")];
  const [file, words] = serverUser().as(directory, server);
  const args = ["-c", '"$@" & exec sleep 600', "sh", file, ...words];
  return spawn("sh", args, { cwd: "/", env: { ...process.env, LC_ALL: "C" }, stdio: "ignore" });
}

test("a server that was killed and is a zombie is started again", async (t) => {
  await stopCluster(cluster.place);
  const parent = startUnderCarelessParent();
  t.after(() => parent.kill());
  await until(() => isReady(cluster.place));
  const server = serverProcess(cluster.place) ?? assert.fail("the server runs");
  process.kill(server, "SIGKILL");
  await until(() => !runs(server));
  assert.match(spawnSync("ps", ["-o", "stat=", "-p", `${server}`], { encoding: "utf8" }).stdout, /^Z/);
  assert.equal(serverProcess(cluster.place), undefined);
  await startCluster(cluster.place);
  await sql(cluster.superuser, "SELECT 1");
});

test("a server whose number another program got is not taken for running", async () => {
  await stopCluster(cluster.place);
  const file = join(cluster.place.directory, "data", "postmaster.pid");
  writeFileSync(file, `${process.pid}\n`);
  serverUser().own(file);
  assert.equal(serverProcess(cluster.place), undefined);
  await startCluster(cluster.place);
  await sql(cluster.superuser, "SELECT 1");
});

test("of two starts at once both wait until the server answers", async () => {
  await stopCluster(cluster.place);
  const start = async () => {
    await startCluster(cluster.place);
    await sql(cluster.superuser, "SELECT 1");
  };
  await Promise.all([start(), start()]);
});

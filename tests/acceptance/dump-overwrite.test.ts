import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { checksumOf } from "../../runner/dump/files/checksum.ts";
import { runCommand, sql, startCommand, urlOf } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

let cluster: ThrowawayCluster;
let folder: string;

const on = (database: string) => ({ ...cluster.admin, database });
const dumpOf = (database: string, path: string, ...more: string[]) =>
  runCommand([
    ...["dump", "--url", urlOf(cluster, database), "--out", path, "--format", "directory"],
    ...["--compression", "none", ...more],
  ]);
const restoreOf = (path: string) => [
  ...["restore", path, "--url", urlOf(cluster, "target"), "--owner", "app", "--overwrite", "--json"],
];
const reportOn = (path: string) => JSON.parse(readFileSync(`${path}.json`, "utf8"));
const belongTogether = async (path: string) => reportOn(path).sha256 === (await checksumOf(path)).sha256;

before(async () => {
  cluster = await startThrowawayCluster();
  folder = mkdtempSync(join(tmpdir(), "pgstack-overwrite-"));
  await sql(cluster.admin, "CREATE ROLE app");
  for (const name of ["old", "new", "target"]) await sql(cluster.admin, `CREATE DATABASE ${name}`);
  await sql(on("old"), "CREATE TABLE t AS SELECT 1 AS a");
  await sql(on("new"), "CREATE TABLE t AS SELECT generate_series(1, 2) AS a");
  for (const name of ["old", "new"]) assert.equal((await dumpOf(name, join(folder, name))).code, 0);
});

after(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A run that was killed when this much was done: what it had named `dump`, `old` and `report` beside the final name. */
const killedAfter = {
  "making its dump": { final: "old", report: "old", beside: { "": "new" } },
  "writing its report": { final: "old", report: "old", beside: { "": "new", ".report": "new.json" } },
  "taking the old name": { report: "old", beside: { "": "new", ".old": "old", ".report": "new.json" } },
  "giving the new name": { final: "new", report: "old", beside: { ".old": "old", ".report": "new.json" } },
  "naming the report": { final: "new", report: "new", beside: { ".old": "old" } },
} as const;

test("a dump that was being replaced when the run was killed is put right by whoever looks next, who says so", async () => {
  const { pid } = spawnSync("true");
  for (const [moment, left] of Object.entries(killedAfter)) {
    const place = mkdtempSync(join(folder, "killed-"));
    const path = join(place, "x");
    const partial = `${path}.partial-${pid}-0123abcd`;
    const set = (from: string, to: string) => cpSync(join(folder, from), to, { recursive: true });
    if ("final" in left) set(left.final, path);
    set(`${left.report}.json`, `${path}.json`);
    for (const [ending, from] of Object.entries(left.beside)) set(from, partial + ending);
    mkdirSync(`${path}.partial-${pid}.old`); // half removed by another run
    mkdirSync(join(`${path}.turn`, `${pid}-0123abcd`), { recursive: true });
    if (!existsSync(path)) {
      const restored = await runCommand(restoreOf(path));
      assert.equal(restored.code, 0, restored.stderr);
      assert.equal(JSON.parse(restored.stdout).rows, 2);
      assert.match(restored.stderr, /renamed .*x\.partial-\d+-\w+ to .*x, as a run/);
    } else {
      const seen = await runCommand(["backups", "--stack", "none", "--directory", place]);
      assert.match(seen.stderr, /x\.partial-.*killed/, moment);
    }
    assert.equal(reportOn(path).rows, "final" in left && left.final === "old" ? 1 : 2, moment);
    assert.ok(await belongTogether(path), moment);
    assert.deepEqual(readdirSync(place), ["x", "x.json"], moment);
  }
});

test("runs that replace one dump at once take turns: at the end a dump lies there with its own report", async () => {
  const path = join(folder, "busy");
  const made = await Promise.all(
    ["old", "new", "old", "new"].map((name) => dumpOf(name, path, "--overwrite")),
  );
  for (const { code, stderr } of made) assert.equal(code, 0, stderr);
  assert.ok(await belongTogether(path));
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("busy")),
    ["busy", "busy.json"],
  );
});

test("a restore whose dump is replaced meanwhile is given up, instead of loading a part of each", async () => {
  await sql(
    on("old"),
    `CREATE FUNCTION lags() RETURNS bool LANGUAGE sql AS $$
      SELECT CASE WHEN current_database() LIKE 'pgstack%' THEN pg_sleep(3) IS NOT NULL ELSE true END $$`,
    "ALTER TABLE t ADD CHECK (lags())",
  );
  const path = join(folder, "replaced");
  assert.equal((await dumpOf("old", path)).code, 0);
  await sql(on("target"), "CREATE TABLE before AS SELECT 1 AS a");
  const child = startCommand(restoreOf(path));
  let stderr = "";
  child.stderr?.on("data", (text) => {
    stderr += text;
  });
  const code = new Promise((resolve) => child.once("close", resolve));
  await until(async () => (await sql(cluster.admin, "SELECT FROM pg_stat_progress_copy")).length > 0);
  renameSync(path, `${path}.away`);
  cpSync(join(folder, "new"), path, { recursive: true });
  assert.equal(await code, 1, stderr);
  assert.match(stderr, /replaced was replaced or changed while it was read[\s\S]*as it was before/);
  assert.deepEqual(await sql(on("target"), "SELECT a FROM before"), [{ a: 1 }]);
});

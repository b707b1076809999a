import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Project } from "../../cli/project.ts";
import { engineState, forgetDeadEngines, recordEngine } from "../../cli/pulumi/engines.ts";

const state = mkdtempSync(join(tmpdir(), "pgstack-engines-"));
const project: Project = { root: state, name: "shop", backend: undefined, state };
const folder = join(state, "engines");

after(() => rmSync(state, { recursive: true }));

test("an engine that this checkout started is seen to run, and to be dead once it ended", async () => {
  const child = spawn("sleep", ["60"]);
  const pid = child.pid as number;
  const forget = recordEngine(project, pid);
  assert.equal(engineState(project, pid, false), "runs");
  child.kill("SIGKILL");
  await once(child, "close");
  assert.equal(engineState(project, pid, false), "dead");
  forget();
  assert.equal(engineState(project, pid, false), undefined);
});

test("an engine of another container is never taken for dead, though its number is nobody's here", () => {
  const forget = recordEngine(project, process.pid);
  const [file = ""] = readdirSync(folder);
  const engine = JSON.parse(readFileSync(join(folder, file), "utf8"));
  forget();
  const elsewhere = { ...engine, pid: 2 ** 22 + 1, namespace: "pid:[4026999999]" };
  writeFileSync(join(folder, "elsewhere.json"), JSON.stringify(elsewhere));
  assert.equal(engineState(project, elsewhere.pid, true), undefined);
  forgetDeadEngines(project, new Set());
  assert.deepEqual(readdirSync(folder), ["elsewhere.json"]);
});

test("an engine that nobody noted counts as dead only in a backend of this checkout's own", () => {
  assert.equal(engineState(project, 2 ** 22 + 2, false), undefined);
});

test("a number that another program got is not the engine's", () => {
  const began = "1"; // ticks: the first process of the system, long before this one
  const forget = recordEngine(project, process.pid);
  const file = readdirSync(folder).find((name) => name !== "elsewhere.json") as string;
  const engine = JSON.parse(readFileSync(join(folder, file), "utf8"));
  assert.equal(engineState(project, process.pid, false), "runs");
  if (engine.namespace !== "") {
    writeFileSync(join(folder, file), JSON.stringify({ ...engine, began }));
    assert.equal(engineState(project, process.pid, false), "dead");
  }
  forget();
});

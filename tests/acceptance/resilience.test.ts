import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../runner/postgres/cluster.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { createProject, type TestProject } from "../support/project.ts";

let project: TestProject;
let port: number;

const database = { name: "app", owner: "app_owner", schemas: ["public", "audit"] };
const roles = [{ name: "reader", access: "readonly" }];

before(async () => {
  project = createProject();
  port = await freePort();
  project.configure("dev", { instance: { kind: "local", port }, database, roles });
});

after(() => project.close());

/**
 * Starts `up` and kills it, the engine, the plugins and the runner, as a power cut would, so many milliseconds after
 * it printed that it is making `resource`.
 */
async function upAndKill(resource: string, milliseconds: number, until = async () => {}): Promise<void> {
  const child = project.start("up", "--skip-preview");
  const ended = new Promise((resolve) => child.on("exit", resolve));
  await new Promise<void>((resolve) => {
    let printed = "";
    child.on("exit", () => resolve());
    child.stdout?.on("data", (text) => {
      printed += text;
      if (printed.includes(`${resource} creating`)) resolve();
    });
  });
  await sleep(milliseconds);
  await until();
  if (child.exitCode === null) process.kill(-(child.pid as number), "SIGKILL");
  child.stdout?.destroy();
  child.stderr?.destroy();
  await ended;
}

/** What is being made when the power goes, and how many milliseconds later. */
const moments = [
  ["instance-local", 300],
  ["app_owner-role", 10],
  ["database-app", 30],
  ["reader-role", 0],
  ["migrations", 200],
  ["roles-grants", 50],
] as const;

test("killed at any moment, the next up ends right by itself", async () => {
  for (const [resource, milliseconds] of moments) await upAndKill(resource, milliseconds);
  const outcome = await project.pgstack("up", "--skip-preview");
  assert.equal(outcome.code, 0, outcome.output);
  const again = await project.pgstack("preview", "--expect-no-changes");
  assert.equal(again.code, 0, again.output);
});

test("a role that was made and not recorded is taken over", async () => {
  const takingOver = /the last update of stack dev was cut off; taking over what it had begun/;
  let said = "";
  // on a busy machine the kill may come after the engine's record, which is nothing to take over
  for (let tries = 0; tries < 3 && !takingOver.test(said); tries++) {
    assert.equal((await project.pgstack("destroy")).code, 0);
    await upAndKill("app_owner-role", 0, () => roleExists("app_owner"));
    const outcome = await project.pgstack("up", "--skip-preview");
    assert.equal(outcome.code, 0, outcome.output);
    said = outcome.stderr;
  }
  assert.match(said, takingOver);
});

/** Waits until the server knows the role: the engine needs some milliseconds more to write that down. */
async function roleExists(name: string): Promise<void> {
  await withClient(await administrator(), async (client) => {
    for (;;) {
      const { rowCount } = await client.query("SELECT 1 FROM pg_roles WHERE rolname = $1", [name]);
      if (rowCount === 1) return;
    }
  });
}

/** The local instance's superuser, as long as the stack has no outputs to tell of it. */
async function administrator(): Promise<ConnectionSettings> {
  const password = project.read(".pgstack/dev/admin-password");
  return { host: "127.0.0.1", port, user: "postgres", password, database: "postgres", sslMode: "disable" };
}

test("a state that was cut off while it was saved is replaced by the one before", async () => {
  const backend = ".pgstack/backend/.pulumi";
  const lock = {
    pid: 2 ** 22 + 1,
    username: "root",
    hostname: hostname(),
    timestamp: new Date().toISOString(),
  };
  mkdirSync(join(project.directory, backend, "locks/organization/pgstack/dev"), { recursive: true });
  project.write(`${backend}/locks/organization/pgstack/dev/cut-off.json`, JSON.stringify(lock));
  project.write(`${backend}/stacks/pgstack/dev.json`, "");
  project.write(`${backend}/stacks/pgstack/dev.json.attrs`, "");
  const outcome = await project.pgstack("up", "--skip-preview");
  assert.equal(outcome.code, 0, outcome.output);
  assert.match(
    outcome.stderr,
    /its last state was cut off while it was saved; continuing from the one before/,
  );
});

test("a server that is stopped or was killed is started again", async () => {
  const pid = Number(
    readFileSync(join(project.directory, ".pgstack/dev/data/postmaster.pid"), "utf8").split("\n")[0],
  );
  process.kill(pid, "SIGKILL");
  const outcome = await project.pgstack("up");
  assert.equal(outcome.code, 0, outcome.output);
  assert.match(outcome.stderr, /starting the local instance of stack dev/);
});

test("two at once: one works, the other waits or says that the stack is locked", async () => {
  const [first, second] = await Promise.all([project.pgstack("up"), project.pgstack("up")]);
  const failed = [first, second].filter(({ code }) => code !== 0);
  assert.ok(failed.length < 2, first.output + second.output);
  for (const { output } of failed) assert.match(output, /locked/);
  assert.equal((await project.pgstack("preview", "--expect-no-changes")).code, 0);
});

test("a taken port and a foreign data directory are named", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close()); // else a failure before would keep this process waiting
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port: other } = taken.address() as { port: number };
  project.configure("dev", { instance: { kind: "local", port: other }, database, roles });
  const outcome = await project.pgstack("up");
  assert.equal(outcome.code, 1);
  assert.match(outcome.output, new RegExp(`Port ${other} on 127.0.0.1 is taken by another program`));
  taken.close();
  project.configure("dev", { instance: { kind: "local", port }, database, roles });
  assert.equal((await project.pgstack("up")).code, 0);
  assert.equal((await project.pgstack("destroy")).code, 0);
  execFileSync("mkdir", ["-p", join(project.directory, ".pgstack/dev/data")]);
  const foreign = await project.pgstack("up");
  assert.equal(foreign.code, 1);
  assert.match(foreign.output, /found a data directory of something else/);
  assert.ok(existsSync(join(project.directory, ".pgstack/dev/data")));
  rmSync(join(project.directory, ".pgstack/dev"), { recursive: true });
});

test("wrong input is refused before anything runs", async () => {
  project.configure("dev", { instance: { kind: "local", port }, database, roles, rolls: [] });
  const outcome = await project.pgstack("preview");
  assert.equal(outcome.code, 1);
  assert.match(outcome.output, /pgstack:rolls: unknown key; known: instance/);
  const missing = await project.pgstack("up", "nowhere", "--yes");
  assert.equal(missing.code, 2);
  assert.match(missing.output, /write Pulumi.nowhere.yaml/);
  const unconfirmed = await project.pgstack("up", "prod");
  assert.equal(unconfirmed.code, 2);
  assert.match(unconfirmed.output, /\.\/pgstack up prod --yes/);
});

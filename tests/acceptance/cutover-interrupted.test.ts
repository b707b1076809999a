import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { sql } from "../support/databases.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

let project: TestProject;
let [old, fresh]: [ThrowawayCluster, ThrowawayCluster] = [] as never;

const database = { name: "shop", owner: "own" };

const configOf = ({ admin: { host, port, password } }: ThrowawayCluster) => ({
  instance: { kind: "existing", host, port, sslMode: "disable" },
  adminPassword: password,
  database,
  passwords: { own: "own", app: "app" },
  roles: [{ name: "app", access: "readwrite" }],
  protect: false,
});

const configureNext = (cutover: Record<string, unknown>) =>
  project.configure("next", {
    ...configOf(fresh),
    cutover: { from: "organization/pgstack/prod", ...cutover },
  });

const on = ({ admin }: ThrowawayCluster): ConnectionSettings => ({ ...admin, database: database.name });
const up = (stack: string) => project.pgstack("up", stack, "--yes", "--skip-preview");
const write = "BEGIN READ WRITE; INSERT INTO written DEFAULT VALUES; COMMIT";

before(async () => {
  project = createProject();
  [old, fresh] = await Promise.all([startThrowawayCluster(), startThrowawayCluster()]);
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  project.write(
    "migrations/20250101000000_written.sql",
    "-- migrate: up\nCREATE TABLE written (id bigserial PRIMARY KEY);\n-- migrate: down\nDROP TABLE written;\n",
  );
  project.configure("prod", configOf(old));
  await done(up("prod"));
  await done(project.pulumi("stack", "init", "next"));
  await rehearseAgain();
});

after(async () => {
  await Promise.all([project?.close(), old?.close(), fresh?.close()]);
});

/** The processes of a group, or of a session, whose command line holds a text. */
function processesOf(group: number, text: string, column: "pgid" | "sid" = "pgid"): number[] {
  const table = execFileSync("ps", ["-eo", `pid=,${column}=,args=`], { encoding: "utf8" });
  return [...table.matchAll(/^ *(\d+) +(\d+) +(.*)$/gm)]
    .filter(([, , owner, args]) => Number(owner) === group && args?.includes(text))
    .map(([, pid]) => Number(pid));
}

const interruptions: Record<string, (group: number, stage: string) => Promise<void>> = {
  "kill -9 of the whole group": async (group) => void process.kill(-group, "SIGKILL"),
  "kill -9 of the engine alone": async (group) => {
    for (const pid of processesOf(group, "pulumi up")) process.kill(pid, "SIGKILL");
  },
  "kill -9 of the stage alone": async (group, stage) => {
    // a Command's process has a group of its own, in the session of the whole run
    const found = await until(() => {
      const pids = processesOf(group, `import('pgstack/run') ${stage}`, "sid");
      return pids.length > 0 && pids;
    });
    for (const pid of found) process.kill(pid, "SIGKILL");
  },
  "Ctrl-C": async (group) => void process.kill(-group, "SIGINT"),
  "Ctrl-C twice": async (group) => {
    process.kill(-group, "SIGINT");
    await sleep(100);
    if (processesOf(group, "").length > 0) process.kill(-group, "SIGINT"); // a quick machine needs no second one
  },
};

/** Starts a switch, and interrupts it once `stage` is being made or was made. */
async function interrupt(stage: string, when: RegExp, how: string): Promise<void> {
  const child = project.start("up", "next", "--yes", "--skip-preview");
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  let printed = "";
  await new Promise<void>((resolve) => {
    child.on("exit", () => resolve());
    child.stdout?.on("data", (text) => {
      printed += text;
      if (when.test(printed)) resolve();
    });
  });
  await interruptions[how]?.(child.pid as number, stage);
  child.stdout?.resume();
  child.stderr?.resume();
  await ended;
}

/** Where every case begins, and where it leads back to. */
async function rehearseAgain(): Promise<void> {
  configureNext({ state: "rehearse", label: "the same", maxFreeze: "10min" });
  await done(up("next"));
}

const cases: readonly [stage: string, when: "creating" | "created", how: string][] = [
  ["cutover-freeze", "creating", "kill -9 of the whole group"],
  ["cutover-freeze", "created", "kill -9 of the whole group"],
  ["cutover-copy", "creating", "kill -9 of the whole group"],
  ["cutover-verify", "created", "kill -9 of the whole group"],
  ["cutover-complete", "creating", "kill -9 of the whole group"],
  ["cutover-freeze", "creating", "kill -9 of the engine alone"],
  ["cutover-copy", "creating", "kill -9 of the stage alone"],
  ["cutover-copy", "creating", "Ctrl-C"],
  ["cutover-verify", "creating", "Ctrl-C twice"],
];

for (const [stage, when, how] of cases)
  test(`${how} with ${stage} ${when}: a rehearsal ends with a writable source, and status says what the source says`, async () => {
    configureNext({ state: "switch", label: "the same", maxFreeze: "10min" });
    await interrupt(
      stage,
      new RegExp(`${stage} (${when === "creating" ? "creating|updating|" : ""}created|updated)`),
      how,
    );
    const frozen = await sql(on(old), write).then(
      () => false,
      () => true,
    );
    const { stdout } = await project.pgstack("cutover", "status", "--stack", "next");
    if (frozen)
      assert.match(stdout, /source shop on 127\.0\.0\.1:\d+: read-only since \S+, for the cutover of "next"/);
    await rehearseAgain();
    await sql(on(old), write);
    const after = await project.pgstack("cutover", "status", "--stack", "next");
    assert.match(after.stdout, /source shop on 127\.0\.0\.1:\d+: writable/);
    await done(project.pgstack("preview", "next", "--expect-no-changes"));
  });

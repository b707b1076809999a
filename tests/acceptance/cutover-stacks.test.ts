import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import type { CutoverOutput } from "../../components/parts/cutover.ts";
import type { RehearsalReport } from "../../runner/cutover/stages/rehearse.ts";
import type { CutoverRecord } from "../../runner/cutover/state/record.ts";
import type { CutoverStatus } from "../../runner/cutover/state/status.ts";
import { type ConnectionSettings, connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { missingWrites, startWriter, type Writer } from "../support/acknowledged-writer.ts";
import { scriptOf, sql } from "../support/databases.ts";
import { type PgBouncer, startPgBouncer } from "../support/pgbouncer.ts";
import { createProject, type Outcome, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

let project: TestProject;
let [old, fresh]: [ThrowawayCluster, ThrowawayCluster] = [] as never;
let bouncer: PgBouncer;
let writer: Writer;
/** Of PgBouncer's console, as the stack's file holds it. */
let adminUrl: unknown;

const database = { name: "shop", owner: "own" };
const passwords = { own: "own", app: "app" };
const roles = [{ name: "app", access: "readwrite" }];

const configOf = ({ admin: { host, port, password } }: ThrowawayCluster) => ({
  instance: { kind: "existing", host, port, sslMode: "disable" },
  adminPassword: password,
  ...{ database, passwords, roles, protect: true },
});

function configureNext(cutover: Record<string, unknown>): void {
  const pgbouncer = { adminUrl, configFile: bouncer.configFile };
  const from = "organization/pgstack/prod";
  project.configure("next", { ...configOf(fresh), protect: false, cutover: { from, pgbouncer, ...cutover } });
}

const on = ({ admin }: ThrowawayCluster): ConnectionSettings => ({ ...admin, database: database.name });

async function done(outcome: Promise<Outcome>): Promise<string> {
  const { code, output } = await outcome;
  assert.equal(code, 0, output);
  for (const secret of ["s3cret", old.admin.password, fresh.admin.password])
    assert.ok(!output.includes(secret as string), "no secret is printed");
  return output;
}

const up = (stack: string) => project.pgstack("up", stack, "--yes", "--skip-preview");

/**
 * Starts a switch of `next`, and kills it once `resource` is being made: all of it as a power cut would, or the engine
 * alone, whose runner then continues. Gives what it printed.
 */
async function killedSwitch(resource: string, what: "all" | "engine"): Promise<string> {
  const child = project.start("up", "next", "--yes", "--skip-preview");
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const group = child.pid as number;
  let printed = "";
  await new Promise<void>((resolve) => {
    child.on("exit", () => resolve());
    child.stdout?.on("data", (text) => {
      printed += text;
      if (new RegExp(`${resource} (creating|updating)`).test(printed)) resolve();
    });
  });
  assert.equal(child.exitCode, null, `the kill comes before the end, at ${resource}`);
  if (what === "all") process.kill(-group, "SIGKILL");
  else for (const pid of enginesOf(group)) process.kill(pid, "SIGKILL");
  child.stdout?.destroy();
  child.stderr?.destroy();
  await ended;
  return printed;
}

function enginesOf(group: number): number[] {
  const processes = execFileSync("ps", ["-eo", "pid=,pgid=,comm="], { encoding: "utf8" });
  const pids = [...processes.matchAll(/^ *(\d+) +(\d+) +pulumi$/gm)]
    .filter(([, , owner]) => Number(owner) === group)
    .map(([, pid]) => Number(pid));
  assert.equal(pids.length, 1, "one engine runs");
  return pids;
}

async function outputOf(stack: string): Promise<CutoverOutput> {
  return (await project.outputs(stack)).cutover as CutoverOutput;
}

/** All that a freeze changes, as it is seen from outside. */
async function stateOf(cluster: ThrowawayCluster): Promise<unknown[]> {
  return [
    await scriptOf(cluster, on(cluster), "--schema-only"),
    await sql(on(cluster), "SELECT setrole, setconfig FROM pg_db_role_setting"),
    await sql(
      on(cluster),
      `SELECT oid, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(coalesce(proacl, acldefault('f', proowner))) a)
       FROM pg_proc WHERE proname ~ '^lo' ORDER BY 1`,
    ),
  ];
}

const write = "BEGIN READ WRITE; UPDATE acknowledged SET n = n; COMMIT";

async function nothingIsMissing(cluster: ThrowawayCluster): Promise<void> {
  await withClient(on(cluster), async (client) =>
    assert.deepEqual(await missingWrites(client, "w", writer), []),
  );
  assert.deepEqual([...writer.failures], []);
}

/** Waits until a client behind PgBouncer has had a write acknowledged that began after this call. */
async function clientsGoOn(): Promise<void> {
  await sql(bouncer.through("app"), "SELECT 1");
  const before = writer.acknowledged.size;
  await until(() => writer.acknowledged.size >= before + 2);
}

before(async () => {
  const settings = { wal_level: "logical" };
  project = createProject();
  [old, fresh] = await Promise.all([
    startThrowawayCluster({ settings }),
    startThrowawayCluster({ settings }),
  ]);
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  project.write(
    "migrations/20250101000000_writes.sql",
    `-- migrate: up
CREATE TABLE acknowledged (id bigserial, writer text, n int, PRIMARY KEY (writer, n));
-- migrate: down
DROP TABLE acknowledged;
`,
  );
  project.configure("prod", configOf(old));
  await done(up("prod"));
  await sql(on(old), "ALTER DATABASE shop SET work_mem = '5MB'");
  bouncer = await startPgBouncer({ database: on(old), poolMode: "transaction" });
  configureNext({});
  await done(project.pulumi("stack", "init", "next"));
  const key = "pgstack:cutover.pgbouncer.adminUrl";
  await project.pulumi("config", "set", "--secret", "--path", key, "--stack", "next", "--", bouncer.adminUrl);
  const file = parse(project.read("Pulumi.next.yaml")) as { config: Record<string, { pgbouncer: object }> };
  adminUrl = (file.config["pgstack:cutover"]?.pgbouncer as { adminUrl: unknown } | undefined)?.adminUrl;
  writer = startWriter({ settings: bouncer.through("app"), name: "w", explicit: true, pause: 2 });
});

after(async () => {
  await writer?.stop();
  await Promise.all([project?.close(), bouncer?.close(), old?.close(), fresh?.close()]);
});

test("a second stack rehearses beside the first, and reports what a switch would take", async () => {
  configureNext({ state: "rehearse" });
  await done(up("next"));
  const { cutover, databaseUrl } = await project.outputs("next");
  const { active, record } = cutover as { active: boolean; record: RehearsalReport };
  assert.equal(active, false);
  assert.deepEqual(record.blocking, []);
  assert.deepEqual(record.verify?.differences, []);
  assert.ok(
    (record.copy?.rows ?? 0) > 0 &&
      (record.copy?.bytes ?? 0) > 0 &&
      (record.expectedDowntimeSeconds ?? 0) > 0,
  );
  for (const part of ["schema", "rows and indexes", "constraints", "owners and grants"])
    assert.equal(typeof record.copy?.seconds[part], "number", part);
  assert.deepEqual(JSON.parse(project.read(".pgstack/next/cutover.json")), record);
  const [owner] = await sql(connectionFromUrl(databaseUrl as string, {}), "SELECT current_user AS name");
  assert.deepEqual(owner, { name: "own" });
  await done(project.pgstack("preview", "next", "--expect-no-changes"));
});

test("a switch by copy is named step by step in the preview; a migration that fails in it gives the source back at once", async () => {
  const before = await stateOf(old);
  configureNext({ state: "switch" });
  project.write(
    "migrations/20250102000000_broken.sql",
    "-- migrate: up\nSELECT 1 / 0;\n-- migrate: down\nSELECT 1;\n",
  );
  const preview = await done(project.pgstack("preview", "next"));
  for (const step of ["pause", "freeze", "copy", "verify", "complete", "resume"])
    assert.match(preview, new RegExp(`\\+ .*cutover-${step} `));
  const failed = await up("next");
  assert.equal(failed.code, 1);
  assert.match(failed.output, /division by zero/);
  assert.match(failed.output, /the source is writable again/);
  assert.deepEqual(await stateOf(old), before);
  await clientsGoOn();
  project.remove("migrations/20250102000000_broken.sql");
});

test("a new stack that is destroyed in the middle of a switch gives the source back as it was", async () => {
  const before = await stateOf(old);
  await killedSwitch("cutover-copy", "all");
  await assert.rejects(sql(on(old), write), /frozen for a cutover/);
  await done(project.pgstack("destroy", "next", "--yes"));
  assert.deepEqual(await stateOf(old), before);
  await clientsGoOn();
  assert.deepEqual([...writer.failures], []);
});

test("a switch, killed and run again, moves every write and the clients, freezes the old database, and going back thaws it as it was", async () => {
  const before = await stateOf(old);
  await killedSwitch("cutover-verify", "all");
  await done(up("next"));
  const { active, record } = (await outputOf("next")) as { active: boolean; record: CutoverRecord };
  assert.equal(active, true);
  assert.deepEqual(record.verify.differences, []);
  assert.deepEqual(JSON.parse(project.read(".pgstack/next/cutover.json")), record);
  await clientsGoOn();
  await nothingIsMissing(fresh);
  await assert.rejects(sql(on(old), write), /frozen for a cutover/);
  assert.deepEqual(await sql(on(fresh), "SHOW work_mem"), [{ work_mem: "5MB" }]);
  await done(up("prod"));
  assert.match((await project.pgstack("destroy", "prod", "--yes")).output, /protect/);
  await done(project.pgstack("preview", "next", "--expect-no-changes"));
  const exported = await project.pulumi("stack", "export", "--stack", "next");
  assert.ok(!exported.output.includes("s3cret"), "no secret stands in the state");
  configureNext({ state: "rehearse" });
  assert.match(await done(up("next")), /cutover discard --stack next/);
  assert.deepEqual(await stateOf(old), before);
  await clientsGoOn();
  assert.deepEqual([...writer.failures], []);
  assert.ok(readFileSync(bouncer.configFile, "utf8").includes(`port=${old.admin.port} `));
});

test("with replication the new side follows, and a switch, its engine killed, leaves no slot", async () => {
  writer.acknowledged.clear(); // what was moved and discarded is no loss
  await done(project.pgstack("cutover", "discard", "--stack", "next"));
  configureNext({ state: "rehearse", method: "replicate" });
  await done(up("next"));
  const { stdout } = await project.pgstack("cutover", "status", "--stack", "next", "--json");
  const { asTarget, lag } = JSON.parse(stdout) as CutoverStatus;
  assert.deepEqual([asTarget?.phase, asTarget?.replicating, lag?.applying], ["filled", true, true]);
  assert.deepEqual([typeof lag?.bytesBehind, typeof lag?.slotBytes], ["number", "number"]);
  configureNext({ state: "switch", method: "replicate" });
  const printed = await killedSwitch("cutover-freeze", "engine");
  assert.doesNotMatch(printed, /copied again/, "what followed the source is not copied again");
  const rest = await done(up("next"));
  assert.doesNotMatch(
    rest,
    /Command (migrations|\S+-(grants|probe)) (updating|creating)/,
    "writes do not wait for these",
  );
  const { active, record } = (await outputOf("next")) as { active: boolean; record: CutoverRecord };
  assert.deepEqual([active, record.method, record.verify.differences], [true, "replicate", []]);
  await clientsGoOn();
  await nothingIsMissing(fresh);
  assert.deepEqual(await sql(on(old), "SELECT slot_name FROM pg_replication_slots"), []);
  assert.deepEqual(await sql(on(fresh), "SELECT subname FROM pg_subscription"), []);
});

test("a move back is the same switch the other way round, and then the old stack may go", async () => {
  const from = "organization/pgstack/next";
  const pgbouncer = { adminUrl: bouncer.adminUrl, configFile: bouncer.configFile };
  project.configure("prod", { ...configOf(old), cutover: { from, pgbouncer, state: "switch" } });
  await done(up("prod"));
  assert.equal((await outputOf("prod")).active, true);
  await clientsGoOn();
  await writer.stop();
  await nothingIsMissing(old);
  await assert.rejects(sql(on(fresh), write), /frozen for a cutover/);
  project.configure("next", { ...configOf(fresh), protect: false });
  await done(project.pgstack("destroy", "next", "--yes"));
  project.configure("prod", configOf(old));
  await done(up("prod"));
  assert.ok(bouncer.config().includes(`port=${old.admin.port} `), "the clients stay where they are");
  await sql(bouncer.through("app"), write);
});

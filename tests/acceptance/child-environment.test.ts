import assert from "node:assert/strict";
import { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import psql from "../../runner/commands/psql.ts";
import { dumpSchema as dumpForCutover } from "../../runner/cutover/copy/schema.ts";
import { makeDump } from "../../runner/dump/dump.ts";
import { findings } from "../../runner/instance/doctor.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { serverProcess } from "../../runner/postgres/pid-file.ts";
import { restoreDump } from "../../runner/restore/restore.ts";
import { readModels } from "../../runner/revision/models.ts";
import { dumpSchema } from "../../runner/scratch/schema-dump.ts";
import { openScratchServer } from "../../runner/scratch/server.ts";
import { makeScratchTemplate } from "../../runner/scratch/template.ts";
import { sql, urlOf } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

/** What no child may see, beside whatever this process has. */
const canaries = {
  PGSTACK_STACK: "canary-stack",
  PGSTACK_PASSWORDS: "canary-passwords",
  PULUMI_CONFIG_PASSPHRASE_FILE: "canary-passphrase",
  PULUMI_COMMAND_STDOUT: "canary-output",
  PGHOSTADDR: "192.0.2.1",
  PGSERVICE: "canary-service",
  PGOPTIONS: "-c work_mem=77MB",
  PGPASSFILE: "/canary/passfile",
};
/** What a command that the user wrote may see, and nothing else that is started here. */
const shells = { AWS_SECRET_ACCESS_KEY: "canary-cloud", GITHUB_TOKEN: "canary-token" };

/** A program that was started here, and its whole environment. */
interface Started {
  readonly program: string;
  readonly environment: readonly string[];
}

const started: Started[] = [];
interface SpawnOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly envPairs: readonly string[];
}
const spawning = ChildProcess.prototype as unknown as { spawn(options: SpawnOptions): unknown };
const { spawn } = spawning;
const folder = mkdtempSync(join(tmpdir(), "pgstack-canary-"));
let cluster: ThrowawayCluster;

before(async () => {
  Object.assign(process.env, canaries, shells);
  spawning.spawn = function (this: ChildProcess, options) {
    const words = [options.file, ...options.args].map((word) => basename(word));
    started.push({ program: words.join(" "), environment: options.envPairs });
    return spawn.call(this, options);
  };
  cluster = await startThrowawayCluster();
  await sql(cluster.superuser, "CREATE DATABASE app", "CREATE ROLE app LOGIN PASSWORD 'app'");
});
after(async () => {
  spawning.spawn = spawn;
  for (const name of Object.keys({ ...canaries, ...shells })) delete process.env[name];
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
});

const secrets = [...Object.entries(canaries), ...Object.entries(shells)];

/** What of the canaries is in an environment, by name or by value. */
function leaks(environment: readonly string[], hidden = secrets): string[] {
  const found = (name: string, value: string) =>
    environment.some((pair) => pair.startsWith(`${name}=`) && pair.includes(value));
  return hidden.flatMap(([name, value]) => (found(name, value) ? [name] : []));
}

/** Runs `work` and gives the programs that it started, each of which must see nothing of ours. */
async function programsOf(work: () => Promise<unknown>): Promise<string> {
  const before = started.length;
  await work();
  const here = started.slice(before);
  for (const { program, environment } of here) assert.deepEqual(leaks(environment), [], program);
  return here.map(({ program }) => program).join("\n");
}

test("the server and what makes its files see nothing of the run's environment", async () => {
  const makers = started.map(({ program }) => program).join("\n");
  assert.match(makers, /\binitdb\b/);
  assert.match(makers, /\bpg_ctl start\b/);
  for (const { program, environment } of started) assert.deepEqual(leaks(environment), [], program);
  const server = serverProcess(cluster.place) ?? assert.fail("the server runs");
  const environment = readFileSync(`/proc/${server}/environ`, "utf8").split("\0");
  assert.deepEqual(leaks(environment), []);
  assert.ok(environment.some((pair) => pair.startsWith("PATH=")));
});

test("pg_dump and pg_restore see the connection that the run resolved, and nothing else", async () => {
  const app = { ...cluster.admin, database: "app" };
  await sql(app, "CREATE TABLE t AS SELECT generate_series(1, 3) AS id");
  const output = { log: () => {}, terminal: false };
  const path = join(folder, "app.dump");
  const options = {
    format: "custom",
    jobs: 1,
    compression: "none",
    schemaOnly: false,
    tables: [],
    excludeTableData: [],
  } as const;
  const signal = new AbortController().signal;
  const dumping = await programsOf(() =>
    makeDump({ source: app, path, options, label: null, stack: null, overwrite: false }, output, signal),
  );
  assert.match(dumping, /\bpg_dump --format/);
  assert.match(dumping, /\bpg_restore .*--file=-/);
  const request = {
    target: app,
    path,
    owner: "app",
    jobs: 1,
    overwrite: true,
    overwriteFlag: "",
    record: false,
  };
  const restoring = await programsOf(() =>
    restoreDump({ ...request, sha256: undefined, sanitize: undefined }, { output, signal }),
  );
  assert.match(restoring, /\bpg_restore .*--role=app/);
  const [row] = await sql(app, "SELECT count(*)::int AS n FROM t");
  assert.equal(row?.n, 3);
});

test("what a cutover reads of a schema is read with the run's connection", async () => {
  const app = { ...cluster.admin, database: "app" };
  const programs = await programsOf(() =>
    withClient(app, async (client) => {
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
      const { rows } = await client.query("SELECT pg_export_snapshot() AS snapshot");
      const dump = await dumpForCutover({
        source: app,
        target: cluster.admin,
        major: cluster.place.programs.major,
        snapshot: rows[0].snapshot,
        leftOut: { presentSchemas: ["public"], userMappings: [] },
        searchPath: "public",
      });
      assert.match(dump.preData, /CREATE TABLE public\.t/);
    }),
  );
  assert.match(programs, /\bpg_dump\b[\s\S]*\bpg_restore\b/);
});

test("a scratch server and its template see nothing of the run's environment", async () => {
  const { programs } = cluster.place;
  const seen = await programsOf(async () => {
    await makeScratchTemplate(programs, join(folder, "template"));
    const { server } = await openScratchServer({ programs });
    try {
      const first = await server.database();
      for (let more = 0; more < 2; more++) await server.database();
      await dumpSchema(programs, first);
    } finally {
      await server.close();
    }
  });
  for (const program of ["initdb", "postgres --single", "tar -cf", "postgres -D", "tar -xmf", "pg_dump"])
    assert.match(seen, new RegExp(`\\b${program}`), program);
});

test("psql sees the connection and a person's habits", async () => {
  const facts = {
    name: "dev",
    config: {},
    outputs: { owner: "app", database: "app", databaseUrl: urlOf(cluster, "app", "app") },
  };
  const env = { ...process.env, PAGER: "cat" };
  const call = {
    flags: { stack: "dev" },
    words: ["-XAtc", "SELECT 1"],
    facts,
    env,
  } as unknown as Parameters<typeof psql.run>[0];
  const programs = await programsOf(() => psql.run(call));
  assert.match(programs, /\bpsql -XAtc SELECT 1$/m);
  assert.ok(started.at(-1)?.environment.includes("PAGER=cat"));
  assert.ok(started.at(-1)?.environment.includes("PGUSER=app"));
});

test("looking for what is installed shows nothing either", async () => {
  assert.match(await programsOf(() => findings(process.env)), /\bpulumi version\b/);
});

test("the models' command sees what the user's shell has, and nothing of pgstack's, Pulumi's or a connection", async () => {
  writeFileSync(join(folder, "models.json"), JSON.stringify({ command: "env; echo 'SELECT 1;'" }));
  const [models] = await readModels(folder, folder);
  const environment = models?.sql.split("\n") ?? [];
  assert.deepEqual(leaks(environment, Object.entries(canaries)), []);
  assert.deepEqual(leaks(environment, Object.entries(shells)), Object.keys(shells));
  assert.deepEqual(
    environment.filter((pair) => /^(PGSTACK|PULUMI|PG[A-Z]+=)/.test(pair)),
    [],
  );
});

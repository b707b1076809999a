/**
 * Dump and restore of a generated database, against plain pg_dump and pg_restore with one job.
 * Usage: node bench/dump-restore.ts [MEGABYTES, default 1500] [ROUNDS, default 1]
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ConnectionSettings, environmentOf, withClient } from "../runner/postgres/connection.ts";
import { scriptOf } from "../tests/support/databases.ts";
import { startThrowawayCluster } from "../tests/support/throwaway-cluster.ts";
import { contentOf, fillSource } from "./support/dump-source.ts";
import { report, seconds } from "./support/measure.ts";

const run = promisify(execFile);
const [megabytes = 1500, rounds = 1] = process.argv.slice(2).map(Number);
const say = (text: string) => process.stdout.write(`${text}\n`);

/** As a server that keeps what it is given (throwaway clusters otherwise skip the disk), and tells how long each statement took. */
const settings = {
  ...{ fsync: "on", synchronous_commit: "on", full_page_writes: "on" },
  ...{ log_min_duration_statement: 10, log_line_prefix: "" },
};
await using cluster = await startThrowawayCluster({ settings });
const folder = mkdtempSync(join(tmpdir(), "pgstack-bench-"));
const on = (database: string): ConnectionSettings => ({ ...cluster.admin, database });
const url = (database: string) => {
  const { user, password, host, port } = cluster.admin;
  return `postgres://${user}:${password}@${host}:${port}/${database}`;
};

/** A way to copy the source into the database `copy`; gives the seconds of its parts. */
type Way = () => Promise<Record<string, number>>;

async function plain(): Promise<Record<string, number>> {
  const file = join(folder, "plain.dump");
  const program = (name: string, database: string, args: string[]) =>
    run(join(cluster.place.programs.directory, name), args, {
      env: { ...process.env, ...environmentOf(on(database)) },
    });
  const dump = await seconds(() =>
    program("pg_dump", "source", ["-Fc", "--no-acl", "--no-owner", "-f", file]),
  );
  const restored = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--role=app", "--jobs=1"];
  const restore = await seconds(() => program("pg_restore", "copy", [...restored, "-d", "copy", file]));
  return { dump, restore };
}

function ours(dumpFlags: string[], restoreFlags: string[]): Way {
  return async () => {
    const command = async (...args: string[]) =>
      JSON.parse((await run(process.execPath, ["runner/main.ts", ...args, "--json"])).stdout);
    const path = join(folder, "ours");
    const restore = ["restore", path, "--url", url("copy"), "--owner", "app", ...restoreFlags];
    let parts: Record<string, number> = {};
    const dump = await seconds(async () => {
      await command("dump", "--url", url("source"), "--out", path, ...dumpFlags);
    });
    const whole = await seconds(async () => {
      parts = (await command(...restore)).parts;
    });
    return {
      dump,
      restore: whole,
      ...Object.fromEntries(Object.entries(parts).map(([k, v]) => [`  ${k}`, v])),
    };
  };
}

/** What the server did for the copy by kind, in seconds of statements (two jobs may spend two in one). */
const kinds: Record<string, RegExp> = {
  data: /^COPY .* FROM stdin/,
  indexes: /^CREATE (UNIQUE )?INDEX/,
  constraints: /^ALTER TABLE ONLY .*\s+ADD CONSTRAINT/,
};

function statementSeconds(log: string): Record<string, number> {
  const statements = [...log.matchAll(/^LOG: +duration: ([\d.]+) ms +statement: (.*(?:\n\t.*)*)/gm)];
  return Object.fromEntries(
    Object.entries(kinds).map(([kind, form]) => {
      const found = statements.filter(([, , text]) => form.test(text ?? ""));
      return [`server: ${kind}`, found.reduce((sum, [, ms]) => sum + Number(ms) / 1000, 0)];
    }),
  );
}

async function measured(way: Way): Promise<Record<string, number>> {
  const log = join(cluster.place.directory, "server.log");
  const before = statSync(log).size;
  const parts = await way();
  return { ...parts, ...statementSeconds(readFileSync(log).subarray(before).toString()) };
}

/** Rows with a checksum, and the schema as a script. */
async function resultOf(database: string): Promise<string> {
  const schema = await scriptOf(cluster, on(database), "--schema-only");
  return `${await contentOf(on(database))}\n${schema}`;
}

const fastest = ["--format", "directory", "--jobs", "max", "--compression", "none"];
const ways: Record<string, Way> = {
  plain,
  "the defaults": ours([], []),
  "the fastest": ours(fastest, ["--jobs", "max"]),
};

async function freshCopy(): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  await run("mkdir", ["-p", folder]);
  await withClient(cluster.admin, async (client) => {
    await client.query("DROP DATABASE IF EXISTS copy WITH (FORCE)");
    await client.query("CREATE DATABASE copy OWNER app");
    await client.query("CHECKPOINT");
  });
}

try {
  await withClient(cluster.admin, async (client) => {
    await client.query("CREATE ROLE app");
    await client.query("CREATE DATABASE source");
  });
  const made = await seconds(() => fillSource(on("source"), megabytes));
  const size = await withClient(on("source"), (client) =>
    client.query(
      "SELECT pg_size_pretty(pg_database_size('source')) AS size, pg_size_pretty(pg_total_relation_size('events')) AS events",
    ),
  );
  say(`source: ${size.rows[0].size}, events ${size.rows[0].events}, made in ${made.toFixed(0)} s`);
  const expected = await resultOf("source");
  const best: Record<string, { total: number; parts: Record<string, number> }> = {};
  for (let round = 0; round < rounds; round++)
    for (const [name, way] of Object.entries(ways)) {
      await freshCopy();
      const parts = await measured(way);
      const total = (parts.dump ?? 0) + (parts.restore ?? 0);
      if ((await resultOf("copy")) !== expected)
        throw new Error(`${name}: the copy has other rows or another schema`);
      if (total < (best[name]?.total ?? Number.POSITIVE_INFINITY)) best[name] = { total, parts };
    }
  for (const [name, { total, parts }] of Object.entries(best)) {
    report(name, total, best.plain?.total ?? total, "plain pg_dump and pg_restore");
    for (const [part, value] of Object.entries(parts)) say(`  ${part}: ${value.toFixed(2)} s`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

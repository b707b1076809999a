/**
 * The copy of a cutover against `pg_dump -Fc | pg_restore` and pgcopydb, between two servers, in the same run.
 * Usage: node bench/cutover.ts [MEGABYTES, default 1500] [ROUNDS, default 1]
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { verifyDatabases } from "../runner/cutover/compare/verify.ts";
import { copyDatabase } from "../runner/cutover/copy/copy.ts";
import { type ConnectionSettings, environmentOf, withClient } from "../runner/postgres/connection.ts";
import { startThrowawayCluster } from "../tests/support/throwaway-cluster.ts";
import { fillSource } from "./support/dump-source.ts";
import { bestOf, report } from "./support/measure.ts";

const run = promisify(execFile);
const [megabytes = 1500, rounds = 1] = process.argv.slice(2).map(Number);

/** As servers that keep what they are given. */
const settings = { fsync: "on", synchronous_commit: "on", full_page_writes: "on", max_wal_size: "4GB" };
await using old = await startThrowawayCluster({ settings });
await using next = await startThrowawayCluster({ settings });
const source: ConnectionSettings = { ...old.admin, database: "source" };
const target: ConnectionSettings = { ...next.admin, database: "source" };
const work = mkdtempSync(join(tmpdir(), "pgstack-bench-"));

async function freshTarget(): Promise<void> {
  await withClient(next.admin, async (client) => {
    await client.query("DROP DATABASE IF EXISTS source");
    await client.query("CREATE DATABASE source TEMPLATE template0");
  });
  rmSync(join(work, "pgcopydb"), { recursive: true, force: true });
}

const urlOf = ({ user, password, host, port, database }: ConnectionSettings) =>
  `postgres://${user}:${password}@${host}:${port}/${database}`;

async function dumpAndRestore(): Promise<void> {
  const { directory } = next.place.programs;
  const env = {
    ...process.env,
    ...environmentOf(source),
    TARGET_HOST: target.host,
    TARGET_PORT: String(target.port),
    TARGET_PASSWORD: target.password ?? "",
  };
  const restore = `PGHOST=$TARGET_HOST PGPORT=$TARGET_PORT PGPASSWORD=$TARGET_PASSWORD ${directory}/pg_restore --no-owner -d source`;
  await run("bash", ["-o", "pipefail", "-c", `${directory}/pg_dump -Fc --no-owner source | ${restore}`], {
    env,
  });
}

/** Two jobs of each kind, for two cores; with `more`, also big tables in pieces. */
async function pgcopydb(more: readonly string[] = []): Promise<void> {
  const jobs = ["--table-jobs", "2", "--index-jobs", "2"];
  const args = ["clone", "--no-owner", ...jobs, ...more, "--dir", join(work, "pgcopydb")];
  const env = { ...process.env, PGCOPYDB_SOURCE_PGURI: urlOf(source), PGCOPYDB_TARGET_PGURI: urlOf(target) };
  await run("pgcopydb", args, { env, maxBuffer: 1 << 28 });
}

const both = {
  source,
  target,
  jobs: 2,
  owners: { source: "postgres", target: "postgres" },
  declaredRoles: [],
};

try {
  await withClient(old.admin, (client) => client.query("CREATE DATABASE source TEMPLATE template0"));
  await fillSource(source, megabytes);
  const contenders: Record<string, { before: () => Promise<void>; run: () => Promise<unknown> }> = {
    dump: { before: freshTarget, run: dumpAndRestore },
    ours: { before: freshTarget, run: () => copyDatabase(both, (line) => console.error(line)) },
  };
  const installed = await run("pgcopydb", ["--version"]).then(
    () => true,
    () => false,
  );
  if (installed) {
    contenders.pgcopydb = { before: freshTarget, run: () => pgcopydb() };
    contenders.split = { before: freshTarget, run: () => pgcopydb(["--split-tables-larger-than", "64MB"]) };
  }
  const best = await bestOf(rounds, contenders);
  report("copy", best.ours ?? 0, best.dump ?? 0, "pg_dump -Fc | pg_restore");
  if (installed) report("copy", best.ours ?? 0, best.pgcopydb ?? 0, "pgcopydb");
  if (installed) report("copy", best.ours ?? 0, best.split ?? 0, "pgcopydb with big tables in pieces");
  await freshTarget();
  await copyDatabase(both, () => {});
  const { seconds, differences } = await verifyDatabases(both);
  process.stdout.write(`verify: ${seconds} s, ${differences.length} differences\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

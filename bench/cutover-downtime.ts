/**
 * How long writes are refused while a stack moves to another one (behind PgBouncer: how long they wait), on the real
 * engine and under writers that keep a log of what was acknowledged; and what became of their writes.
 * Usage: node bench/cutover-downtime.ts [METHODS, default copy,replicate] [MEGABYTES, default 200] [WRITES A SECOND, default 1000]
 *   [direct or pgbouncer, default direct]
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { CutoverRecord } from "../runner/cutover/state/record.ts";
import { type ConnectionSettings, withClient } from "../runner/postgres/connection.ts";
import { missingWrites, startWriter, type Writer } from "../tests/support/acknowledged-writer.ts";
import { startPgBouncer } from "../tests/support/pgbouncer.ts";
import { createProject, done, type TestProject } from "../tests/support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../tests/support/throwaway-cluster.ts";
import { fillSource } from "./support/dump-source.ts";

const [methods = "copy,replicate", size = "200", rate = "1000", way = "direct"] = process.argv.slice(2);
const megabytes = Number(size);
const writesPerSecond = Number(rate);

/** As servers that keep what they are given. */
const settings = {
  ...{ fsync: "on", synchronous_commit: "on", full_page_writes: "on", max_wal_size: "4GB" },
  ...{ wal_level: "logical", shared_buffers: "256MB" },
};
const table = `
  CREATE TABLE acknowledged (id bigserial, writer text, n int, PRIMARY KEY (writer, n)); ALTER TABLE acknowledged OWNER TO bench;
  GRANT ALL ON acknowledged, acknowledged_id_seq TO bench_writer`;

function configure(project: TestProject, stack: string, { admin }: ThrowawayCluster, cutover?: object): void {
  const { host, port, user: adminUser, password: adminPassword, sslMode } = admin;
  project.configure(stack, {
    instance: { kind: "existing", host, port, adminUser, sslMode },
    ...{ adminPassword, protect: false },
    database: { name: "bench", owner: "bench" },
    roles: [
      { name: "bench_reader", access: "readonly" },
      { name: "bench_writer", access: "readwrite" },
    ],
    passwords: { bench_writer: "bench_writer" }, // PgBouncer needs the same on both sides
    ...(cutover && { cutover: { from: "organization/pgstack/prod", ...cutover } }),
  });
}

/** Writers that together write at the rate, each with a connection of its own. */
function startWriters(source: ConnectionSettings): Writer[] {
  const count = 8;
  return Array.from({ length: count }, (_, index) =>
    startWriter({ settings: source, name: `w${index}`, every: (1000 * count) / writesPerSecond }),
  );
}

/** A client that goes to the new side as soon as that has taken over: the moment at which its first write is acknowledged. */
async function firstWrite(target: ConnectionSettings): Promise<number> {
  const tookOver = `SELECT FROM pgstack_cutover.state WHERE side = 'target' AND value->>'phase' = 'active'`;
  return withClient(target, async (client) => {
    while ((await client.query(tookOver)).rowCount === 0) await sleep(5);
    await client.query("INSERT INTO acknowledged (writer, n) VALUES ('new side', 1)");
    return Date.now();
  });
}

/** The longest time between two writes of one client. */
function longestWait(writers: readonly Writer[]): number {
  const waits = writers.flatMap(({ acknowledged }) => {
    const times = [...acknowledged.values()];
    return times.slice(1).map((time, index) => time - (times[index] as number));
  });
  return Math.max(...waits) / 1000;
}

interface Fate {
  readonly acknowledged: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly failed: number;
  /** From the last write that the old side acknowledged to the first one that the new side did. */
  readonly downtime: number;
}

async function fateOf(
  writers: readonly Writer[],
  target: ConnectionSettings,
  firstOnTarget: number | undefined,
): Promise<Fate> {
  const total = (of: (writer: Writer) => number) => writers.reduce((sum, writer) => sum + of(writer), 0);
  const last = Math.max(...writers.flatMap(({ acknowledged }) => [...acknowledged.values()]));
  return withClient(target, async (client) => {
    let lost = 0;
    for (const [index, writer] of writers.entries())
      lost += (await missingWrites(client, `w${index}`, writer)).length;
    const { rows } = await client.query(
      "SELECT (count(*) - count(DISTINCT (writer, n)))::int AS twice FROM acknowledged",
    );
    return {
      acknowledged: total(({ acknowledged }) => acknowledged.size),
      lost,
      duplicated: rows[0].twice,
      failed: total(({ failures }) => [...failures.values()].reduce((sum, count) => sum + count, 0)),
      downtime: firstOnTarget === undefined ? longestWait(writers) : (firstOnTarget - last) / 1000,
    };
  });
}

async function measure(method: string): Promise<void> {
  await using old = await startThrowawayCluster({ settings });
  await using next = await startThrowawayCluster({ settings });
  await using project = createProject();
  const [source, target] = [old, next].map(({ admin }) => ({ ...admin, database: "bench" })) as [
    ConnectionSettings,
    ConnectionSettings,
  ];
  configure(project, "prod", old);
  await done(project.pulumi("stack", "init", "prod"));
  await done(project.pgstack("up", "prod", "--yes"));
  // beside the example's own tables
  await withClient(source, (client) =>
    client.query("CREATE SCHEMA bulk; ALTER DATABASE bench SET search_path = bulk"),
  );
  await fillSource(source, megabytes);
  await withClient(source, (client) => client.query("ALTER DATABASE bench RESET search_path"));
  await withClient(source, (client) => client.query(table));
  await using bouncer =
    way === "pgbouncer"
      ? await startPgBouncer({
          database: source,
          poolMode: "transaction",
          users: '"bench_writer" "bench_writer"\n',
        })
      : undefined;
  const pgbouncer = bouncer && { adminUrl: bouncer.adminUrl, configFile: bouncer.configFile };
  const how = { method, ...(pgbouncer && { pgbouncer }) };
  configure(project, "next", next, { ...how, state: "rehearse" });
  await done(project.pulumi("stack", "init", "next"));
  await done(project.pgstack("up", "next", "--yes"));
  const writers = startWriters(bouncer?.through("bench_writer") ?? source);
  await sleep(2000);
  configure(project, "next", next, { ...how, state: "switch" });
  const started = Date.now();
  const taken = bouncer === undefined ? firstWrite(target) : undefined;
  const output = await done(project.pgstack("up", "next", "--yes"));
  const wall = (Date.now() - started) / 1000;
  await Promise.all(writers.map((writer) => writer.stop()));
  if (process.env.VERBOSE) process.stderr.write(output);
  const { cutover } = (await project.outputs("next")) as { cutover: { record: CutoverRecord } };
  const { acknowledged, lost, duplicated, failed, downtime } = await fateOf(writers, target, await taken);
  process.stdout.write(
    `${method}, ${megabytes} MB, ${writesPerSecond} writes a second, ${way}: writes ${bouncer ? "waited" : "refused"} for ${downtime.toFixed(2)} s of ${wall.toFixed(1)} s; ` +
      `${acknowledged} acknowledged, ${lost} lost, ${duplicated} twice; ${failed} tries refused meanwhile; ` +
      `comparison under the freeze ${cutover.record.verify.seconds} s, ${cutover.record.verify.rows} rows\n`,
  );
}

for (const method of methods.split(",")) await measure(method);

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { reachComplete, reachVerify } from "../../runner/cutover/stages/after-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { missingWrites, startWriter } from "../support/acknowledged-writer.ts";
import {
  acknowledgedTable,
  asRole,
  type CutoverClusters,
  startCutoverClusters,
} from "../support/cutover-clusters.ts";
import { sql } from "../support/databases.ts";
import { until } from "../support/wait.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters();
  for (const { admin } of [clusters.source, clusters.target])
    await sql(admin, "CREATE ROLE keeper LOGIN CREATEDB CREATEROLE PASSWORD 'keeper'");
});
after(() => clusters[Symbol.asyncDispose]());

/** A pair whose administrators are as managed services give them: no superusers. */
async function ordinaryPair(name: string): Promise<CutoverSettings> {
  const pair = await clusters.pair(name);
  await sql(
    { ...pair.source, user: "own", password: "own" },
    "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i",
    "CREATE VIEW v AS SELECT * FROM t; CREATE SEQUENCE s; CREATE INDEX ON t (x)",
  );
  const keeper = { user: "keeper", password: "keeper" };
  return { ...pair, source: { ...pair.source, ...keeper }, target: { ...pair.target, ...keeper } };
}

test("what an ordinary administrator lacks is named with its way out, before anything is copied", async () => {
  const cutover = await ordinaryPair("lacking");
  const lines: string[] = [];
  await assert.rejects(
    rehearse(cutover, (line) => void lines.push(line)),
    (error: Error) => {
      assert.equal(error.name, "RefusedError");
      assert.match(error.message, /source may not act for the owners of what moves: .*GRANT own TO keeper/);
      assert.match(error.message, /target may not give objects to role own: GRANT own TO keeper/);
      return true;
    },
  );
  const said = lines.join("\n");
  for (const way of [
    /GRANT pg_signal_backend TO keeper/,
    /GRANT pg_read_all_stats TO keeper/,
    /may not make event triggers/,
  ])
    assert.match(said, way);
  const replicating = await rehearse({ ...cutover, method: "replicate" }).catch(
    (error: Error) => error.message,
  );
  assert.match(String(replicating), /ALTER ROLE keeper REPLICATION/);
  assert.match(String(replicating), /GRANT pg_create_subscription TO keeper/);
  assert.deepEqual(await sql(cutover.target, "SELECT FROM pg_namespace WHERE nspname ~ '^pgstack_'"), []);
});

test("an ordinary administrator who may act for the owner rehearses, and hears what is left for a switch", async () => {
  const cutover = await ordinaryPair("able");
  for (const { admin } of [clusters.source, clusters.target])
    await sql(admin, "GRANT own, app TO keeper; GRANT pg_read_all_stats, pg_signal_backend TO keeper");
  const report = await rehearse(cutover);
  assert.deepEqual(report.verify?.differences, []);
  assert.equal(report.copy?.rows, 100);
  assert.deepEqual(report.blocking, []);
  assert.match(report.notes.join("\n"), /may not make event triggers, so that a freeze cannot refuse DDL/);
  assert.deepEqual(
    await sql(
      { ...clusters.target.admin, database: "able" },
      "SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname IN ('t', 'v', 's')",
    ),
    [{ owner: "own" }, { owner: "own" }, { owner: "own" }],
  );
  await sql(cutover.source, "INSERT INTO t VALUES (0, 'writable')");
});

/** An administrator who may act for the owners, on both sides. */
async function ablePair(name: string): Promise<CutoverSettings> {
  const cutover = await ordinaryPair(name);
  for (const { admin } of [clusters.source, clusters.target])
    await sql(
      { ...admin, database: name },
      "GRANT own, app TO keeper; GRANT pg_read_all_stats, pg_signal_backend TO keeper",
    );
  await sql({ ...clusters.source.admin, database: name }, acknowledgedTable);
  return cutover;
}

test("an ordinary administrator switches under full-speed writers, and no acknowledged write is lost", async (t) => {
  const cutover = await ablePair("ordinary");
  const start = (user: string, name: string) =>
    [name, startWriter({ settings: asRole(cutover.source, user), name, explicit: true })] as const;
  const writers = [start("app", "client"), start("own", "owner")];
  t.after(() => Promise.all(writers.map(([, writer]) => writer.stop())));
  await until(() => writers.every(([, writer]) => writer.acknowledged.size > 10));
  const record = await reachComplete(cutover);
  assert.deepEqual(record.verify.differences, []);
  for (const [, writer] of writers) await writer.stop();
  await withClient(cutover.target, async (client) => {
    for (const [name, writer] of writers) assert.deepEqual(await missingWrites(client, name, writer), []);
  });
  for (const user of ["app", "own"])
    await assert.rejects(
      sql(asRole(cutover.source, user), "BEGIN READ WRITE; DELETE FROM acknowledged; COMMIT"),
      /frozen for a cutover/,
    );
  await rehearse(cutover).catch((error: Error) => assert.fail(error));
  await sql(asRole(cutover.source, "own"), "INSERT INTO acknowledged (writer, n) VALUES ('thawed', 1)");
});

test("an owner who goes round the freeze by DDL, and takes that back, rolls the switch back: his write is not lost", async () => {
  const cutover = await ablePair("evaded");
  const owner = asRole(cutover.source, "own");
  await reachVerify(cutover);
  await sql(
    owner,
    `BEGIN READ WRITE; ALTER TABLE acknowledged DISABLE TRIGGER pgstack_freeze; INSERT INTO acknowledged (writer, n) VALUES ('evader', 1);
     ALTER TABLE acknowledged ENABLE ALWAYS TRIGGER pgstack_freeze; COMMIT`,
  );
  await assert.rejects(reachComplete(cutover), /Definitions of the source were changed under the freeze/);
  await sql(owner, "UPDATE acknowledged SET n = n");
  await reachVerify(cutover);
  await sql(owner, "BEGIN READ WRITE; CREATE TABLE late (x int); INSERT INTO late VALUES (1); COMMIT");
  assert.deepEqual((await reachComplete(cutover)).verify.differences, []);
  assert.deepEqual(
    await sql(
      asRole(cutover.target, "own"),
      "SELECT (SELECT count(*)::int FROM acknowledged) AS rows, x FROM late",
    ),
    [{ rows: 1, x: 1 }],
  );
});

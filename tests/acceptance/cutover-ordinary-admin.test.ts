import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { type CutoverClusters, startCutoverClusters } from "../support/cutover-clusters.ts";
import { sql } from "../support/databases.ts";

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
  assert.equal(report.blocking.length, 1, report.blocking.join("\n"));
  assert.match(report.blocking.join("\n"), /may not make event triggers/);
  assert.deepEqual(
    await sql(
      { ...clusters.target.admin, database: "able" },
      "SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname IN ('t', 'v', 's')",
    ),
    [{ owner: "own" }, { owner: "own" }, { owner: "own" }],
  );
  await sql(cutover.source, "INSERT INTO t VALUES (0, 'writable')");
});

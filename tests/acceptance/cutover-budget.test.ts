import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { reachComplete, reachVerify } from "../../runner/cutover/stages/after-freeze.ts";
import { reachFreeze } from "../../runner/cutover/stages/before-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { readStatus } from "../../runner/cutover/state/status.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { missingWrites, startWriter } from "../support/acknowledged-writer.ts";
import {
  acknowledgedTable,
  asRole,
  type CutoverClusters,
  startCutoverClusters,
} from "../support/cutover-clusters.ts";
import { startStage } from "../support/cutover-commands.ts";
import { sql } from "../support/databases.ts";
import { until } from "../support/wait.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters();
});
after(() => clusters[Symbol.asyncDispose]());

async function pair(name: string, maxFreeze: number, schema = ""): Promise<CutoverSettings> {
  const cutover = { ...(await clusters.pair(name)), maxFreeze };
  await sql(cutover.source, `${acknowledgedTable}; ${schema}`);
  return cutover;
}

const write =
  "BEGIN READ WRITE; INSERT INTO acknowledged (writer, n) SELECT 'again', count(*) FROM acknowledged; COMMIT";

/** Waits until the source takes a write, and gives the milliseconds. */
async function untilWritable({ source }: CutoverSettings, patience: number): Promise<number> {
  const start = Date.now();
  for (;;) {
    const refused = await sql(source, write).then(
      () => undefined,
      (error: Error) => error,
    );
    if (refused === undefined) return Date.now() - start;
    assert.ok(Date.now() - start < patience, `still read-only: ${refused.message}`);
    await sleep(100);
  }
}

test("a run that is killed under the freeze leaves a source that is writable again by itself, and says why", async () => {
  const cutover = await pair("abandoned", 4000);
  const stage = startStage(["cutover-freeze"], cutover);
  assert.equal(await stage.ended, 0);
  await assert.rejects(sql(cutover.source, write), /frozen for a cutover/);
  const took = await untilWritable(cutover, 30_000);
  assert.ok(took > 1000, `the freeze held for ${took} ms after its stage`);
  await until(async () => (await readStatus(cutover.target)).rolledBack !== null);
  const { rolledBack } = await readStatus(cutover.target);
  assert.match(rolledBack?.reason ?? "", /longer than cutover\.maxFreeze = 4 s allows.*method: replicate/);
  await reachComplete({ ...cutover, maxFreeze: 60_000 });
});

test("a copy that takes longer than cutover.maxFreeze ends, says so, and the source is writable at once", async (t) => {
  const cutover = await pair("exceeded", 3000, "CREATE TABLE held (x int)");
  // the source's copy of the function is quick: only the new side sleeps
  await sql(
    cutover.source,
    `CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
       $$ BEGIN IF current_setting('port')::int <> ${cutover.source.port} THEN PERFORM pg_sleep(1); END IF; RETURN $1; END $$;
     INSERT INTO held SELECT generate_series(1, 30); CREATE INDEX ON held (slow(x))`,
  );
  const writer = startWriter({
    settings: asRole(cutover.source, "app"),
    name: "w",
    explicit: true,
    pause: 1,
  });
  t.after(() => writer.stop());
  const start = Date.now();
  await assert.rejects(
    reachComplete(cutover),
    /The freeze took longer than cutover\.maxFreeze = 3 s allows, so that the source is writable again/,
  );
  const took = Date.now() - start;
  assert.ok(took < 20_000, `it ended after ${took} ms, though the copy needs 30 s`);
  assert.ok((await untilWritable(cutover, 1000)) < 1000);
  await writer.stop();
  await withClient(cutover.source, async (client) =>
    assert.deepEqual(await missingWrites(client, "w", writer), []),
  );
});

test("a switch whose freeze ended in the meantime is not completed, and loses no write", async () => {
  const cutover = { ...(await pair("meanwhile", 2500)), attempt: "one" };
  await reachFreeze(cutover);
  await reachVerify(cutover);
  await untilWritable(cutover, 30_000);
  await assert.rejects(reachComplete(cutover), /longer than cutover\.maxFreeze = 2\.5 s allows/);
  await sql(cutover.source, write);
  const record = await reachComplete({ ...cutover, maxFreeze: 60_000, attempt: "two" });
  assert.deepEqual(record.verify.differences, []);
  const [left, right] = await Promise.all(
    [cutover.source, cutover.target].map((side) => sql(side, "SELECT count(*) FROM acknowledged")),
  );
  assert.deepEqual(left, right);
});

test("a rehearsal says that a switch would take longer than a freeze may", async () => {
  const { blocking } = await rehearse(await pair("foreseen", 1000));
  assert.match(
    blocking.join("\n"),
    /refuse writes for about [\d.]+ s, longer than cutover\.maxFreeze = 1 s allows/,
  );
  assert.deepEqual((await rehearse(await pair("fitting", 600_000))).blocking, []);
});

test("a switch that was completed long ago is rolled back by a rehearsal, whatever the budget was", async () => {
  const cutover = await pair("long_ago", 60_000);
  await reachComplete(cutover);
  await sleep(1200);
  assert.notEqual((await rehearse({ ...cutover, maxFreeze: 1000 })).copy, null);
  await sql(cutover.source, write);
});

test("0 lets a freeze last for as long as it takes", async () => {
  const cutover = await pair("unlimited", 0);
  await reachFreeze(cutover);
  await sleep(2500);
  await assert.rejects(sql(cutover.source, write), /frozen for a cutover/);
  await reachComplete(cutover);
});

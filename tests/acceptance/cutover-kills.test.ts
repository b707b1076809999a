import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { workFolder } from "../../runner/cutover/copy/schema.ts";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { reachComplete } from "../../runner/cutover/stages/after-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { startCluster } from "../../runner/postgres/cluster.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { serverProcess } from "../../runner/postgres/pid-file.ts";
import { missingWrites, startWriter, type Writer } from "../support/acknowledged-writer.ts";
import {
  acknowledgedTable,
  asRole,
  type CutoverClusters,
  startCutoverClusters,
} from "../support/cutover-clusters.ts";
import { killedCommand, startStage } from "../support/cutover-commands.ts";
import { sql } from "../support/databases.ts";
import type { ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters();
});
after(() => clusters[Symbol.asyncDispose]());

/** A pair of databases with rows, whose source is written to until the writer is disposed of. */
async function pairUnderLoad(
  name: string,
  method: CutoverSettings["method"],
): Promise<[CutoverSettings, Writer]> {
  const cutover = { ...(await clusters.pair(name)), method };
  await sql(
    cutover.source,
    `${acknowledgedTable}; INSERT INTO acknowledged (writer, n) SELECT 'old', i FROM generate_series(1, 20000) i`,
  );
  const settings = asRole(cutover.source, "app");
  return [cutover, startWriter({ settings, name: "w", explicit: true, pause: 1 })];
}

async function goesOn(writer: Writer): Promise<void> {
  const before = writer.acknowledged.size;
  const refused = () => `the source refuses writes: ${[...writer.failures.keys()].join("; ")}`;
  await until(() => writer.acknowledged.size > before, refused);
}

/** The switch is complete: no acknowledged write is missing, and nothing of the way there is left. */
async function endedRight(cutover: CutoverSettings, writer: Writer): Promise<void> {
  await withClient(cutover.target, async (client) => {
    assert.deepEqual(await missingWrites(client, "w", writer), []);
    const { rows } = await client.query("SELECT count(*)::int AS n FROM acknowledged WHERE writer = 'old'");
    assert.deepEqual(rows, [{ n: 20_000 }]);
  });
  await assert.rejects(sql(cutover.source, "BEGIN READ WRITE; DELETE FROM acknowledged"), /frozen/);
  assert.deepEqual(await sql(cutover.source, "SELECT slot_name FROM pg_replication_slots"), []);
  assert.deepEqual(await sql(cutover.source, "SELECT pubname FROM pg_publication"), []);
  assert.deepEqual(await sql(cutover.target, "SELECT subname FROM pg_subscription"), []);
  assert.ok(!existsSync(workFolder(cutover.target)));
}

/** Back to a source in use, with the target copied again. */
async function goBack(cutover: CutoverSettings, writer: Writer): Promise<void> {
  assert.notEqual((await rehearse(cutover)).copy, null);
  await goesOn(writer);
}

/** Milliseconds of a run that nobody kills; a source in use is left, as it was found. */
async function durationOf(
  command: readonly string[],
  cutover: CutoverSettings,
  writer: Writer,
): Promise<number> {
  await goBack(cutover, writer);
  const start = performance.now();
  assert.equal(await killedCommand(command, cutover, 600_000), false);
  const whole = performance.now() - start;
  await goBack(cutover, writer);
  return whole;
}

for (const [method, stage] of [
  ["copy", "complete"],
  ["replicate", "complete"],
  ["replicate", "freeze"],
] as const)
  test(`five kills at random moments of ${stage} by ${method} under load: one run ends it, or goes back`, async () => {
    const command = [`cutover-${stage}`];
    const [cutover, started] = await pairUnderLoad(`killed_${method}_${stage}`, method);
    await using writer = started;
    let whole = await durationOf(command, cutover, writer);
    for (let kills = 0, runs = 0; kills < 5; runs++) {
      assert.ok(runs < 30, "a switch does not end before it is killed");
      const killed = await killedCommand(command, cutover, whole * (0.1 + 0.85 * Math.random()));
      if (killed) kills++;
      else whole *= 0.8; // the machine has become quicker since
      if (!killed || kills % 2 === 0) await goBack(cutover, writer);
    }
    await reachComplete(cutover);
    await writer.stop();
    await endedRight(cutover, writer);
  });

/** Ends a server as a crash would, and starts it again on the same port. */
async function crash({ place }: ThrowawayCluster): Promise<void> {
  const pid = serverProcess(place) ?? assert.fail("the server runs");
  process.kill(pid, "SIGQUIT"); // an immediate shutdown
  await until(() => serverProcess(place) !== pid);
  await startCluster(place);
}

for (const [side, method, then] of [
  ["source", "copy", "up"],
  ["target", "copy", "rehearse"],
  ["source", "replicate", "rehearse"],
  ["target", "replicate", "up"],
] as const)
  test(`the ${side} stopped in a switch by ${method}, and started again: one ${then} ends right`, async () => {
    const [cutover, started] = await pairUnderLoad(`stopped_${side}_${method}`, method);
    await using writer = started;
    const command = ["cutover-complete"];
    const whole = await durationOf(command, cutover, writer);
    const stage = startStage(command, cutover);
    await sleep(whole * (0.2 + 0.7 * Math.random()));
    await crash(clusters[side]);
    await stage.ended;
    if (then === "rehearse") await goBack(cutover, writer);
    await reachComplete(cutover);
    await writer.stop();
    await endedRight(cutover, writer);
  });

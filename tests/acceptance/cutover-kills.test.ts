import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { environmentOf, withClient } from "../../runner/connection.ts";
import { rehearse } from "../../runner/cutover/rehearse.ts";
import type { Cutover, CutoverSettings } from "../../runner/cutover/request.ts";
import { reachComplete } from "../../runner/cutover/switch.ts";
import { missingWrites, startWriter } from "../support/acknowledged-writer.ts";
import { acknowledgedTable, asRole, startCutoverClusters } from "../support/cutover-clusters.ts";
import { sql, startVerb } from "../support/databases.ts";

/** Starts the last stage, which does all before it, in a process of its own, and kills it after a while. */
async function killedSwitch(cutover: Cutover, milliseconds: number): Promise<void> {
  const { password, ...source } = cutover.source;
  const settings: CutoverSettings = {
    ...cutover,
    source: { ...source, owner: cutover.owners.source },
    owner: cutover.owners.target,
    roles: cutover.declaredRoles,
  };
  const child = startVerb(["cutover-complete"], {
    ...environmentOf(cutover.target),
    PGSTACK_SOURCE_PASSWORD: password,
  });
  child.stdin?.end(JSON.stringify(settings));
  const ended = new Promise((resolve) => child.once("close", resolve));
  await Promise.race([ended, sleep(milliseconds)]);
  child.kill("SIGKILL");
  await ended;
}

test("a switch that is killed at random moments under load ends right by one more run, or goes back", async (t) => {
  await using clusters = await startCutoverClusters();
  for (const [index, method] of (["copy", "replicate"] as const).entries()) {
    const cutover = { ...(await clusters.pair(`killed${index}`)), method };
    await sql(cutover.source, acknowledgedTable);
    const writer = startWriter({
      settings: asRole(cutover.source, "app"),
      name: "w",
      explicit: true,
      pause: 1,
    });
    t.after(() => writer.stop());
    await rehearse(cutover);
    for (let kill = 0; kill < 5; kill++) {
      await killedSwitch(cutover, 200 + Math.random() * 1500);
      if (kill === 2) {
        await rehearse(cutover);
        const before = writer.acknowledged.size;
        await sleep(300);
        const { phase } = (
          await sql(
            cutover.target,
            "SELECT value->>'phase' AS phase FROM pgstack_cutover.state WHERE side = 'target'",
          )
        )[0] as { phase: string };
        assert.ok(writer.acknowledged.size > before, `the source is writable again (target ${phase})`);
        if (phase === "kept") return;
      }
    }
    await reachComplete(cutover);
    await writer.stop();
    await withClient(cutover.target, async (client) =>
      assert.deepEqual(await missingWrites(client, "w", writer), []),
    );
    assert.deepEqual(await sql(cutover.source, "SELECT slot_name FROM pg_replication_slots"), []);
    assert.deepEqual(await sql(cutover.target, "SELECT subname FROM pg_subscription"), []);
  }
});

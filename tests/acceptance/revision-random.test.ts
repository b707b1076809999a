// Random schemas with random changes: revision leads from one to the other and back. bench/random-schemas.ts runs any number.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { withClient } from "../../runner/postgres/connection.ts";
import { openScratchServer, type Scratch } from "../../runner/scratch/server.ts";
import { groundSettings, groundStatements, runCase } from "../generator/revision-case.ts";
import { schemasOf } from "../generator/schema/change.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
let scratch: Scratch;

before(async () => {
  cluster = await startThrowawayCluster({ settings: groundSettings, admin: "superuser" });
  scratch = await openScratchServer({ programs: cluster.place.programs });
  await withClient(cluster.admin, (client) => client.query(groundStatements.join(";")));
});
after(async () => {
  await scratch?.server.close();
  await cluster?.close();
});

for (const seed of [1, 2, 3, 4])
  test(`seed ${seed}: up, down and up again, with rows and a replication slot`, async () => {
    const { faults, live, models, migrations } = await runCase({ cluster, scratch }, schemasOf(seed));
    assert.deepEqual(faults, [], `-- live\n${live}\n-- models\n${models}\n-- migrations\n${migrations}`);
  });

// A logical replication slot outlives the migration that rebuilds a table of its publication.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type pg from "pg";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { readMigrations } from "../../runner/migrations/files/directory.ts";
import { applyMigrations } from "../../runner/migrations/run/apply.ts";
import { revertMigration } from "../../runner/migrations/run/revert.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { findPrograms } from "../../runner/postgres/programs.ts";
import { autogenerate } from "../../runner/revision/autogenerate.ts";
import { readCatalog } from "../../runner/revision/catalog/read.ts";
import { openScratchServer } from "../../runner/scratch/server.ts";
import { startThrowawayCluster } from "../support/throwaway-cluster.ts";

const table = (partitioned: string) =>
  `CREATE TABLE lg (id int NOT NULL, at date NOT NULL) ${partitioned}; CREATE TABLE a (i int PRIMARY KEY);
   CREATE PUBLICATION p FOR TABLE a, lg WITH (publish_via_partition_root = true);`;
const live = `${table("")} INSERT INTO lg SELECT i, '2024-01-01' FROM generate_series(1, 3) i;`;
const models = `${table("PARTITION BY RANGE (at)")} CREATE TABLE lg_all PARTITION OF lg DEFAULT;`;

/** The rows that a subscriber would get since it read the slot last. */
async function inserted(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ data: Buffer }>(
    "SELECT data FROM pg_logical_slot_get_binary_changes('s', NULL, NULL, 'proto_version', '1', 'publication_names', 'p')",
  );
  return rows.filter(({ data }) => data.subarray(0, 1).toString() === "I").length;
}

test("a slot continues over the rebuilt table, up and down, and gets each new row once", async () => {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-slot-"));
  await using cluster = await startThrowawayCluster({
    settings: { wal_level: "logical", synchronous_commit: "on" },
  });
  const scratch = await openScratchServer({ programs: await findPrograms("initdb") });
  try {
    await withClient(cluster.superuser, async (client) => {
      await client.query(live);
      await client.query("SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
      await client.query("INSERT INTO lg VALUES (4, '2024-01-01'); INSERT INTO a VALUES (1)");
      const origin = { live: readCatalog(client) };
      const request = {
        ...scratch,
        origin,
        models: [{ name: "models", sql: models }],
        ignore: [],
        renames: [],
        online: false,
      };
      const place = { directory, description: "rebuild", now: new Date() };
      assert.deepEqual((await autogenerate(request, place)).problems, []);
      const files = await readMigrations(directory, "migrations");
      const run = { access: { owner: cluster.admin }, settings: defaultSettings, log: () => {} };
      const kept = () => new Set(files.map(({ name }) => name));
      await applyMigrations({ ...run, files, kept, leaving: new Set() });
      await client.query("INSERT INTO lg VALUES (5, '2024-01-01'); INSERT INTO a VALUES (2)");
      assert.equal(
        await inserted(client),
        4,
        "two rows before and two behind, none of those that were carried",
      );
      await revertMigration(run, files[0]?.name ?? "");
      await client.query("INSERT INTO lg VALUES (6, '2024-01-01')");
      assert.equal(await inserted(client), 1);
      const { rows } = await client.query("SELECT count(*)::int AS count FROM lg");
      assert.deepEqual(rows, [{ count: 6 }]);
    });
  } finally {
    await scratch.server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

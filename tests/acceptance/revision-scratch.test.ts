import assert from "node:assert/strict";
import { test } from "node:test";
import { findPrograms } from "../../runner/postgres/programs.ts";
import { withScratchDatabases } from "../../runner/revision/script/scratch-copy.ts";
import { createRoles } from "../../runner/scratch/run.ts";
import { withScratchServer } from "../../runner/scratch/server.ts";

test("both sides of a revision may make the same roles at once", async () => {
  const programs = await findPrograms("initdb");
  const roles = Array.from({ length: 50 }, (_, index) => `role ${index}`);
  await withScratchServer({ programs }, async (opening) => {
    const { server } = await opening;
    await withScratchDatabases(server, async ({ client }, other) => {
      await Promise.all([createRoles(client, roles), createRoles(other.client, roles)]);
      const { rows } = await client.query("SELECT FROM pg_roles WHERE rolname LIKE 'role %'");
      assert.equal(rows.length, roles.length);
    });
  });
});

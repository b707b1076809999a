import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { readMigrations } from "../../runner/migrations/files/directory.ts";
import { applyMigrations } from "../../runner/migrations/run/apply.ts";
import { revertMigrations } from "../../runner/migrations/run/revert.ts";
import { type ConnectionSettings, environmentOf, withClient } from "../../runner/postgres/connection.ts";
import { projectPath } from "../../runner/util/project.ts";
import { startThrowawayCluster } from "../support/throwaway-cluster.ts";

function schemaOf(settings: ConnectionSettings, directory: string): string {
  const args = ["--schema-only", "--no-owner", "--exclude-schema=pgstack"];
  return execFileSync(join(directory, "pg_dump"), args, {
    env: environmentOf(settings),
    encoding: "utf8",
  }).replace(/^\\.*$/gm, "");
}

async function loadModels(settings: ConnectionSettings): Promise<void> {
  const models = globSync("models/*.sql", { cwd: projectPath(".") }).sort();
  await withClient(settings, async (client) => {
    for (const model of models) await client.query(readFileSync(projectPath(model), "utf8"));
  });
}

test("the example's migrations build its models exactly, and lead back to an empty database", async () => {
  await using cluster = await startThrowawayCluster();
  const databases = ["migrated", "modelled", "blank"].map((database) => ({ ...cluster.admin, database }));
  const [migrated, modelled, blank] = databases as [
    ConnectionSettings,
    ConnectionSettings,
    ConnectionSettings,
  ];
  await withClient(cluster.superuser, async (client) => {
    for (const { database } of databases) await client.query(`CREATE DATABASE ${database}`);
  });
  const programs = cluster.place.programs.directory;
  const files = await readMigrations(projectPath("migrations"));
  const request = { access: { owner: migrated }, settings: defaultSettings, log: () => {} };
  const kept = () => new Set(files.map(({ name }) => name));
  await applyMigrations({ ...request, files, kept, leaving: new Set() });
  await loadModels(modelled);
  assert.equal(schemaOf(migrated, programs), schemaOf(modelled, programs));
  await revertMigrations(request, (applied) => applied.toReversed());
  assert.equal(schemaOf(migrated, programs), schemaOf(blank, programs));
});

// `pgstack drift` on a server whose schema, rights, settings, indexes, extensions and history somebody has changed by hand.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { parseValues } from "../../runner/config/parse.ts";
import { rightsCheckOf } from "../../runner/config/rights-check.ts";
import { readMigrations } from "../../runner/migrations/files/directory.ts";
import { applyMigrations } from "../../runner/migrations/run/apply.ts";
import { fingerprintCatalog } from "../../runner/plan/approval.ts";
import { readDrift } from "../../runner/plan/drift.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { applyRights } from "../../runner/roles/plan/apply.ts";
import { RefusedError } from "../../runner/util/errors.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
let directory: string;
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "pgstack-drift-"));
  cluster = await startThrowawayCluster();
});
after(async () => {
  await cluster.close();
  rmSync(directory, { recursive: true });
});

test("drift names everything that somebody has changed by hand, and nothing before", async () => {
  const { admin } = cluster;
  writeFileSync(
    join(directory, "1_users.sql"),
    "-- migrate: up\nCREATE TABLE users (id int PRIMARY KEY, name text);\nCREATE INDEX users_name ON users (name);\n-- migrate: down irreversible\n",
  );
  const config = {
    instance: { kind: "existing", host: admin.host, port: admin.port, sslMode: "disable" },
    adminPassword: admin.password,
    database: { name: "shop", owner: "shop_owner" },
    roles: [{ name: "shop_app", access: "readonly", connectionLimit: 5 }],
    migrations: { directory },
  };
  const database = { ...admin, database: "shop" };
  const owner = { ...database, user: "shop_owner", password: "secret" };
  await withClient(admin, async (client) => {
    await client.query("CREATE ROLE shop_owner LOGIN PASSWORD 'secret'");
    await client.query("CREATE ROLE shop_app LOGIN CONNECTION LIMIT 5");
    await client.query("CREATE DATABASE shop OWNER shop_owner");
  });
  const files = await readMigrations(directory);
  const kept = () => new Set(files.map(({ name }) => name));
  const run = { files, kept, settings: defaultSettings, leaving: new Set<string>(), log: () => {} };
  await applyMigrations({ access: { owner }, ...run });
  const { rights } = rightsCheckOf(parseValues(config));
  await withClient(database, (client) => applyRights(client, rights, () => {}));

  const url = `postgres://shop_owner:secret@${admin.host}:${admin.port}/shop?sslmode=disable`;
  const outputs = { admin, database: "shop", databaseUrl: url };
  const input = { facts: { name: "prod", outputs, config }, recorded: { rights }, now: new Date() };
  const drift = async () => (await readDrift(input, () => {})).drift;
  assert.deepEqual(await drift(), []);
  const before = await withClient(database, fingerprintCatalog);
  assert.deepEqual(await withClient(database, fingerprintCatalog), before);

  await withClient(database, (client) =>
    client.query(`
      ALTER TABLE users ADD email text;
      GRANT INSERT ON users TO shop_app;
      ALTER ROLE shop_app CONNECTION LIMIT 50;
      ALTER DATABASE shop SET work_mem = '64MB';
      UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_name'::regclass;
      UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'plpgsql';
      INSERT INTO pgstack.migrations (name, language, checksum, up, applied_by, duration)
        VALUES ('2_elsewhere', 'sql', 'x', 'SELECT 1', 'somebody', '0')`),
  );
  const found = (await drift()).map(({ kind, subject, found: text }) => `${kind} ${subject}: ${text}`);
  for (const expected of [
    /^right shop_app: INSERT on table public\.users, which nobody declared$/,
    /^attribute shop_app: attribute is not as declared$/,
    /^schema schema: table public\.users differs: found "email text/,
    /^setting shop: unexpected work_mem=64MB$/,
    /^index public\.users_name: invalid/,
    /^extension plpgsql: version 0\.9, and the server has /,
    /^history 2_elsewhere: applied, and not among the files$/,
  ])
    assert.ok(
      found.some((line) => expected.test(line)),
      `${expected} is not in\n${found.join("\n")}`,
    );
  const now = await withClient(database, fingerprintCatalog);
  const moved = Object.keys(now).filter((part) => now[part] !== before[part]);
  assert.deepEqual(moved, ["columns", "indexes", "rights", "roles", "extensions"]);
  const none = { ...input, facts: { ...input.facts, outputs: {} } };
  await assert.rejects(() => readDrift(none, () => {}), RefusedError);
});

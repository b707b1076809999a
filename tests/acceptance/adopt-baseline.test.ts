// A database without migrations is read into models and a baseline, which agree with it.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeBaseline } from "../../runner/adopt/baseline.ts";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { adoptBaseline } from "../../runner/migrations/adopt-baseline.ts";
import { readMigrations } from "../../runner/migrations/files/directory.ts";
import { checkDatabase } from "../../runner/migrations/preview.ts";
import { applyMigrations } from "../../runner/migrations/run/apply.ts";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { runCommand, sql, urlOf } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
let shop: ConnectionSettings;
let directory: string;
const place = () => ({ migrations: join(directory, "migrations"), models: join(directory, "models") });

before(async () => {
  cluster = await startThrowawayCluster();
  directory = mkdtempSync(join(tmpdir(), "pgstack-baseline-"));
  shop = { ...cluster.superuser, database: "shop" };
  await sql(cluster.superuser, "CREATE ROLE keeper LOGIN PASSWORD 'pw'", "CREATE ROLE stranger");
  await sql(cluster.superuser, "CREATE DATABASE shop OWNER keeper");
  await sql(
    shop,
    "CREATE SCHEMA audit AUTHORIZATION keeper",
    "CREATE EXTENSION pgcrypto SCHEMA audit",
    "CREATE TYPE mood AS ENUM ('sad', 'glad')",
    "CREATE FUNCTION tag(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'x' || $1 $$",
    "CREATE TABLE users (id bigserial PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'glad', t text GENERATED ALWAYS AS (tag(name)) STORED)",
    "CREATE TABLE audit.log (id int REFERENCES users, at timestamptz DEFAULT now())",
    "CREATE INDEX ON audit.log (at)",
    "CREATE VIEW glad AS SELECT id, name FROM users WHERE mood = 'glad'",
    "ALTER TABLE users OWNER TO keeper",
    "ALTER TABLE audit.log OWNER TO stranger",
    "CREATE TABLE schema_migrations (version text)",
    "INSERT INTO users (name) VALUES ('a')",
  );
});
after(async () => {
  rmSync(directory, { recursive: true, force: true });
  await cluster.close();
});

test("a live database is written as a baseline and as models, and is left as it was", async () => {
  const written = await writeBaseline(shop, place(), () => {});
  assert.deepEqual(written.problems, []);
  const [baseline = ""] = written.names;
  assert.equal(written.names.length, 1);
  const migration = readFileSync(join(place().migrations, `${baseline}.sql`), "utf8");
  assert.match(migration, /CREATE TABLE audit\.log/);
  assert.doesNotMatch(migration, /schema_migrations|CREATE SCHEMA|CREATE EXTENSION/);
  const models = readFileSync(written.models ?? "", "utf8");
  assert.match(
    models,
    /CREATE SCHEMA audit;[\s\S]*CREATE EXTENSION IF NOT EXISTS pgcrypto[\s\S]*CREATE TABLE public\.users/,
  );
  assert.deepEqual(await sql(shop, "SELECT name, t FROM users"), [{ name: "a", t: "xa" }]);
  await assert.rejects(
    writeBaseline(shop, place(), () => {}),
    /Expected no migrations/,
  );
});

test("the models agree with the database, and so does the baseline, which is recorded and not run", async () => {
  const { migrations, models } = place();
  const url = urlOf({ admin: cluster.superuser } as ThrowawayCluster, "shop");
  const check = await runCommand([
    "revision",
    "--check",
    "--url",
    url,
    "--directory",
    migrations,
    "--models",
    models,
  ]);
  assert.equal(check.code, 0, check.stdout + check.stderr);
  const files = await readMigrations(migrations, migrations);
  const settings = { ...defaultSettings, baseline: files.at(-1)?.name ?? null, adopt: true };
  const preview = () => checkDatabase({ owner: shop }, { settings, files });
  const verdicts = (await preview()).findings.map(({ verdict, message }) => `${verdict}: ${message}`);
  assert.deepEqual(verdicts, []);
  await sql(shop, "ALTER TABLE users ADD COLUMN late int");
  const [refusal] = (await preview()).findings;
  assert.equal(refusal?.verdict, "refuse");
  assert.match(refusal?.message ?? "", /cannot be adopted[\s\S]*users/);
  await sql(shop, "ALTER TABLE users DROP COLUMN late");
  await applyMigrations({
    access: { owner: shop },
    files,
    kept: () => new Set(files.map(({ name }) => name)),
    settings,
    leaving: new Set(),
    log: () => {},
    adoptBaseline,
  });
  assert.deepEqual(await sql(shop, "SELECT name FROM pgstack.migrations"), [{ name: files[0]?.name }]);
});

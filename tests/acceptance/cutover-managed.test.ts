// From the oldest version to the newest, between two managed services, by administrators who are no superusers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { reachComplete } from "../../runner/cutover/stages/after-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { missingWrites, startWriter, type Writer } from "../support/acknowledged-writer.ts";
import {
  acknowledgedTable,
  asRole,
  type CutoverClusters,
  startCutoverClusters,
} from "../support/cutover-clusters.ts";
import { killedCommand } from "../support/cutover-commands.ts";
import { sql } from "../support/databases.ts";
import { until } from "../support/wait.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters({}, "managed");
});
after(() => clusters[Symbol.asyncDispose]());

const content = `
  CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN positive AS int CHECK (value > 0);
  CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'good', n positive,
    twice int GENERATED ALWAYS AS (n * 2) STORED);
  INSERT INTO users (name, n) SELECT 'user ' || i, i FROM generate_series(1, 1000) i;
  CREATE TABLE events (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE events_now PARTITION OF events DEFAULT; INSERT INTO events SELECT i, '2026-01-01' FROM generate_series(1, 100) i;
  CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id)); INSERT INTO orders SELECT i, i FROM generate_series(1, 100) i;
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
  CREATE TRIGGER noted BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note();
  CREATE VIEW bad AS SELECT * FROM users WHERE mood = 'bad'; CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM orders`;

async function pairUnderLoad(method: CutoverSettings["method"]): Promise<[CutoverSettings, Writer]> {
  const cutover = { ...(await clusters.pair(`by_${method}`)), method };
  await sql(asRole(cutover.source, "own"), "CREATE EXTENSION citext", content);
  await sql(cutover.source, acknowledgedTable);
  const writer = startWriter({
    settings: asRole(cutover.source, "app"),
    name: "w",
    explicit: true,
    pause: 1,
  });
  return [cutover, writer];
}

for (const method of ["copy", "replicate"] as const)
  test(`an ordinary administrator moves 14 to 18 by ${method}, also after kills, and no acknowledged write is lost`, async () => {
    const [cutover, started] = await pairUnderLoad(method);
    await using writer = started;
    await until(() => writer.acknowledged.size > 10);
    const report = await rehearse(cutover);
    assert.deepEqual([report.blocking, report.verify?.differences], [[], []]);
    for (const [stage, milliseconds] of [
      ["cutover-freeze", 2500],
      ["cutover-complete", 3500],
    ] as const)
      await killedCommand([stage], cutover, milliseconds);
    const record = await reachComplete(cutover);
    assert.deepEqual(record.verify.differences, []);
    await writer.stop();
    await withClient(cutover.target, async (client) =>
      assert.deepEqual(await missingWrites(client, "w", writer), []),
    );
    await assert.rejects(sql(asRole(cutover.source, "own"), "BEGIN READ WRITE; DELETE FROM users"), /frozen/);
    const moved = asRole(cutover.target, "own");
    await sql(
      moved,
      "INSERT INTO users (name, n) VALUES ('later', 1); UPDATE users SET name = 'x' WHERE id = 1",
    );
    const facts =
      "SELECT (SELECT count(*)::int FROM users) AS users, (SELECT sum(twice)::int FROM users) AS twice, current_setting('server_version') ~ '^18' AS newer";
    assert.deepEqual(await sql(moved, facts), [{ users: 1001, twice: 1001002, newer: true }]);
  });

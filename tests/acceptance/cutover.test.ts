import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freeze, unfreeze } from "../../runner/cutover/freeze/freeze.ts";
import { reachComplete, reachCopy, reachVerify } from "../../runner/cutover/stages/after-freeze.ts";
import { reachFreeze } from "../../runner/cutover/stages/before-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { readStatus } from "../../runner/cutover/state/status.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { ExitCode, type UserError } from "../../runner/util/errors.ts";
import { missingWrites, startWriter } from "../support/acknowledged-writer.ts";
import {
  acknowledgedTable,
  asRole,
  type CutoverClusters,
  startCutoverClusters,
} from "../support/cutover-clusters.ts";
import { runCommand, scriptOf, sql, urlOf } from "../support/databases.ts";
import { richDatabase } from "../support/rich-database.ts";
import { until } from "../support/wait.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters();
});
after(() => clusters[Symbol.asyncDispose]());

test("a switch under full-speed writers loses no acknowledged write, and the old side acknowledges none after the freeze", async (t) => {
  const cutover = await clusters.pair("busy");
  await sql(cutover.source, acknowledgedTable);
  const start = (user: string, name: string, explicit = false) =>
    [name, startWriter({ settings: asRole(cutover.source, user), name, explicit })] as const;
  const writers = [
    start("app", "plain"),
    start("app", "explicit", true),
    start("own", "owner", true),
    start("boss", "superuser", true),
  ];
  t.after(() => Promise.all(writers.map(([, writer]) => writer.stop())));
  await until(() => writers.every(([, writer]) => writer.acknowledged.size > 10));
  await reachFreeze(cutover);
  const frozen = Date.now();
  await sleep(300);
  const record = await reachComplete(cutover);
  for (const [, writer] of writers) await writer.stop();
  await withClient(cutover.target, async (client) => {
    for (const [name, writer] of writers) {
      assert.deepEqual(await missingWrites(client, name, writer), []);
      assert.ok(
        [...writer.acknowledged.values()].every((at) => at <= frozen),
        `${name} after the freeze`,
      );
    }
    await client.query("INSERT INTO acknowledged (writer, n) VALUES ('new side', 1)");
  });
  assert.equal(record.verify.differences.length, 0);
});

test("a freeze ends what holds locks and open transactions, and an unfreeze restores what was set by hand", async () => {
  const { source } = await clusters.pair("held");
  await sql(source, `${acknowledgedTable}; ALTER DATABASE held SET work_mem = '5MB'`);
  await sql(source, "ALTER DATABASE held SET default_transaction_read_only = on");
  const before = await sql(source, "SELECT setconfig FROM pg_db_role_setting");
  const script = await scriptOf(clusters.source, source, "--schema-only");
  await withClient(asRole(source, "own"), async (blocker) => {
    await blocker.query(
      "BEGIN READ WRITE; CREATE TABLE late (x int); INSERT INTO acknowledged (writer, n) VALUES ('late', 1)",
    );
    await freeze(source, "next");
    await assert.rejects(blocker.query("COMMIT"));
  });
  for (const statement of [
    "INSERT INTO acknowledged VALUES (1, 'x', 1)",
    "TRUNCATE acknowledged",
    "CREATE TABLE x ()",
    "ALTER TABLE acknowledged DISABLE TRIGGER ALL",
  ])
    await assert.rejects(
      sql(asRole(source, "boss"), `BEGIN READ WRITE; ${statement}`),
      /frozen for a cutover/,
    );
  assert.deepEqual(await sql(asRole(source, "app"), "SELECT count(*)::int AS n FROM acknowledged"), [
    { n: 0 },
  ]);
  await assert.rejects(freeze(source, "another"), /only that one can unfreeze it/);
  assert.equal(await unfreeze(source, "another"), false);
  await withClient(asRole(source, "app"), async (pooled) => {
    await assert.rejects(pooled.query("DELETE FROM acknowledged"), /read-only/);
    assert.equal(await unfreeze(source, "next"), true);
    await assert.rejects(pooled.query("SELECT 1"), /terminat|connection error/i); // it would stay read-only by default
  });
  assert.equal(await scriptOf(clusters.source, source, "--schema-only"), script);
  assert.deepEqual(await sql(source, "SELECT setconfig FROM pg_db_role_setting"), before);
});

test("a rehearsal copies a rich database whole while it is in use, and a second one replaces the first", async () => {
  const cutover = await clusters.pair("rich");
  await sql(cutover.source, richDatabase);
  await sql(cutover.source, "ALTER DATABASE rich SET search_path = app, public");
  await sql(cutover.source, "ALTER DATABASE rich SET timezone = 'Asia/Tokyo'");
  for (const setting of ["extra_float_digits = -10", "bytea_output = 'escape'", "DateStyle = 'German'"])
    await sql(cutover.target, `ALTER DATABASE rich SET ${setting}`);
  for (let round = 0; round < 2; round++) {
    const report = await rehearse(cutover);
    assert.deepEqual(report.verify?.differences, []);
    assert.equal(report.copy?.largeObjects, 3);
    assert.ok(report.notes.some((note) => note.includes("NOT VALID")));
    await sql(cutover.source, `INSERT INTO app.users (email, p) VALUES ('later${round}@x', 7)`);
  }
  await sql(cutover.target, "INSERT INTO app.users (email, p) VALUES ('new@x', 7)");
  assert.deepEqual(await sql(cutover.target, "SHOW timezone"), [{ TimeZone: "Asia/Tokyo" }]);
  const comments = "SELECT description FROM pg_description WHERE classoid = 'pg_largeobject'::regclass";
  assert.deepEqual(await sql(cutover.target, comments), [{ description: "it's" }]);
});

test("a rehearsal and a client that locks tables again and again do not wait for each other", async (t) => {
  const cutover = await clusters.pair("locking");
  await sql(cutover.source, acknowledgedTable);
  let locking = true;
  const locker = withClient(asRole(cutover.source, "own"), async (client) => {
    for (; locking; await sleep(20)) await client.query("BEGIN; LOCK TABLE acknowledged; COMMIT");
  });
  t.after(() => {
    locking = false;
  });
  await rehearse(cutover).catch((error) => assert.match(error.message, /being changed in form/));
  locking = false;
  await locker;
  assert.notEqual((await rehearse(cutover)).copy, null);
});

test("verify names what differs, and gives the source back", async () => {
  const cutover = await clusters.pair("differing");
  await sql(
    cutover.source,
    `${acknowledgedTable}; INSERT INTO acknowledged (writer, n) SELECT 'a', i FROM generate_series(1, 50) i;
     GRANT SELECT ON acknowledged TO third; CREATE INDEX acknowledged_n ON acknowledged (n); SELECT lo_from_bytea(77, 'x')`,
  );
  const spoil = async (statement: string, expected: RegExp) => {
    await reachCopy(cutover);
    await sql(cutover.target, statement);
    await assert.rejects(reachVerify(cutover), ({ message, exitCode }: UserError) => {
      assert.match(message, expected);
      return exitCode === ExitCode.differs;
    });
    await sql(cutover.source, "UPDATE acknowledged SET n = n WHERE n = 1");
  };
  await spoil(
    "DELETE FROM acknowledged WHERE n = 7",
    /public\.acknowledged: 50 rows on the source, 49 on the target/,
  );
  await spoil(
    "UPDATE acknowledged SET n = -1 WHERE n = 7",
    /public\.acknowledged: 50 rows on both sides, but their contents differ/,
  );
  await spoil(
    "ALTER TABLE acknowledged ADD COLUMN more int",
    /column acknowledged\.more|column public\.acknowledged\.more/,
  );
  await spoil(
    "ALTER TABLE acknowledged OWNER TO third",
    /owner of table public\.acknowledged: own expected, found third/,
  );
  await spoil(
    "REVOKE SELECT ON acknowledged FROM third; DROP INDEX acknowledged_n; SELECT lo_put(77, 0, 'y')",
    /index public\.acknowledged_n: missing on the target\n(.*\n)*.*grant of SELECT on table public\.acknowledged to third: missing on the target\n(.*\n)*.*large objects: their number or contents differ/,
  );
  const record = await reachComplete(cutover);
  assert.equal(record.verify.rows, 50);
  assert.deepEqual(JSON.parse(readFileSync(cutover.record, "utf8")), record);
});

test("a target with contents of its own is refused before anything is dropped", async () => {
  const cutover = await clusters.pair("occupied");
  await sql(cutover.source, acknowledgedTable);
  await sql(cutover.target, "CREATE TABLE precious (x int); INSERT INTO precious VALUES (1)");
  await assert.rejects(rehearse(cutover), /table public\.precious.*cutover discard/);
  await assert.rejects(reachCopy(cutover), /table public\.precious/);
  await sql(cutover.source, "INSERT INTO acknowledged VALUES (1, 'thawed', 1)");
  assert.deepEqual(await sql(cutover.target, "SELECT x FROM precious"), [{ x: 1 }]);
  const url = urlOf(clusters.target, "occupied");
  assert.equal((await runCommand(["cutover", "discard", "--url", url])).code, 0);
  assert.notEqual((await rehearse(cutover)).copy, null);
  assert.match((await runCommand(["cutover", "status", "--url", url])).stdout, /phase: filled/);
});

test("going back to a rehearsal thaws the source, and keeps what clients wrote on the new side", async () => {
  const cutover = await clusters.pair("returned");
  await sql(cutover.source, acknowledgedTable);
  await reachComplete(cutover);
  await sql(cutover.source, "BEGIN READ WRITE; SELECT nextval('acknowledged_id_seq'); COMMIT"); // as a crash does
  const copied = await rehearse(cutover);
  assert.notEqual(copied.copy, null);
  await sql(cutover.source, "INSERT INTO acknowledged VALUES (1, 'thawed', 1)");
  await reachComplete(cutover);
  await sql(cutover.target, "INSERT INTO acknowledged VALUES (2, 'moved', 2)");
  assert.equal((await rehearse(cutover)).copy, null);
  await sql(cutover.source, "INSERT INTO acknowledged VALUES (3, 'thawed', 3)");
  assert.deepEqual(await sql(cutover.target, "SELECT n FROM acknowledged WHERE writer = 'moved'"), [
    { n: 2 },
  ]);
});

test("a move back is the same switch the other way round", async () => {
  const cutover = await clusters.pair("round");
  await sql(cutover.source, acknowledgedTable);
  await reachComplete(cutover);
  await sql(cutover.target, "INSERT INTO acknowledged (writer, n) VALUES ('moved', 1)");
  const back = { ...cutover, stack: "previous", source: cutover.target, target: cutover.source };
  await reachComplete(back);
  await sql(cutover.source, "INSERT INTO acknowledged (writer, n) VALUES ('home', 2)");
  assert.deepEqual(await sql(cutover.source, "SELECT id::int, n FROM acknowledged ORDER BY n"), [
    { id: 1, n: 1 },
    { id: 2, n: 2 },
  ]);
  await assert.rejects(sql(cutover.target, "BEGIN READ WRITE; DELETE FROM acknowledged"), /frozen/);
});

test("replication keeps the target current, and a switch under writers loses nothing and leaves no slot", async (t) => {
  const cutover = { ...(await clusters.pair("streaming")), method: "replicate" as const };
  await sql(cutover.source, `${acknowledgedTable}; CREATE TABLE keyless (x int)`);
  await assert.rejects(rehearse(cutover), /public\.keyless has no replica identity/);
  const agreed = { ...cutover, replicaIdentityFull: ["public.keyless"] };
  const writer = startWriter({ settings: asRole(cutover.source, "app"), name: "stream" });
  t.after(() => writer.stop());
  await sleep(200);
  await rehearse(agreed);
  const { lag, asTarget } = await readStatus(cutover.target);
  assert.deepEqual(
    [asTarget?.phase, asTarget?.replicating, typeof lag?.slotBytes],
    ["filled", true, "number"],
  );
  await sql(cutover.source, "INSERT INTO keyless VALUES (1); UPDATE keyless SET x = 2");
  await reachComplete(agreed);
  await writer.stop();
  await withClient(cutover.target, async (client) => {
    assert.deepEqual(await missingWrites(client, "stream", writer), []);
    await client.query("INSERT INTO acknowledged (writer, n) VALUES ('new side', 1)");
  });
  assert.deepEqual(await sql(cutover.source, "SELECT slot_name FROM pg_replication_slots"), []);
  assert.deepEqual(await sql(cutover.target, "SELECT subname FROM pg_subscription"), []);
});

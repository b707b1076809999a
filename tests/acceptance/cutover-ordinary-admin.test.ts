import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { reachComplete, reachVerify } from "../../runner/cutover/stages/after-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { missingWrites, startWriter } from "../support/acknowledged-writer.ts";
import {
  acknowledgedTable,
  asRole,
  type CutoverClusters,
  startCutoverClusters,
} from "../support/cutover-clusters.ts";
import { sql } from "../support/databases.ts";
import { until } from "../support/wait.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters({}, "superuser");
  for (const { admin } of [clusters.source, clusters.target])
    await sql(admin, "CREATE ROLE keeper LOGIN CREATEDB CREATEROLE PASSWORD 'keeper'");
});
after(() => clusters[Symbol.asyncDispose]());

/** A superuser of both servers. */
const bossOf = ({ source }: CutoverClusters) => {
  const { user, password } = source.superuser;
  return { user, password };
};

/** A pair whose administrators are as managed services give them: no superusers. */
async function ordinaryPair(name: string): Promise<CutoverSettings> {
  const pair = await clusters.pair(name);
  await sql(
    { ...pair.source, user: "own", password: "own" },
    "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i",
    "CREATE VIEW v AS SELECT * FROM t; CREATE SEQUENCE s; CREATE INDEX ON t (x)",
  );
  const keeper = { user: "keeper", password: "keeper" };
  return { ...pair, source: { ...pair.source, ...keeper }, target: { ...pair.target, ...keeper } };
}

test("what an ordinary administrator lacks is named with its way out, before anything is copied", async () => {
  const cutover = await ordinaryPair("lacking");
  const lines: string[] = [];
  await assert.rejects(
    rehearse(cutover, (line) => void lines.push(line)),
    (error: Error) => {
      assert.equal(error.name, "RefusedError");
      assert.match(error.message, /source may not act for the owners of what moves: .*GRANT own TO keeper/);
      assert.match(error.message, /target may not give objects to role own: GRANT own TO keeper/);
      return true;
    },
  );
  const said = lines.join("\n");
  for (const way of [
    /GRANT pg_signal_backend TO keeper/,
    /GRANT pg_read_all_stats TO keeper/,
    /may not make event triggers/,
  ])
    assert.match(said, way);
  const replicating = await rehearse({ ...cutover, method: "replicate" }).catch(
    (error: Error) => error.message,
  );
  assert.match(String(replicating), /ALTER ROLE "keeper" REPLICATION/);
  assert.match(String(replicating), /GRANT pg_create_subscription TO "keeper"/);
  assert.deepEqual(await sql(cutover.target, "SELECT FROM pg_namespace WHERE nspname ~ '^pgstack_'"), []);
});

test("an ordinary administrator who may act for the owner rehearses, and hears what is left for a switch", async () => {
  const cutover = await ordinaryPair("able");
  for (const { admin } of [clusters.source, clusters.target])
    await sql(admin, "GRANT own, app TO keeper; GRANT pg_read_all_stats, pg_signal_backend TO keeper");
  const report = await rehearse(cutover);
  assert.deepEqual(report.verify?.differences, []);
  assert.equal(report.copy?.rows, 100);
  assert.deepEqual(report.blocking, []);
  assert.match(
    report.notes.join("\n"),
    /may not make event triggers: a freeze takes CREATE from everybody and locks the tables instead/,
  );
  assert.deepEqual(
    await sql(
      { ...clusters.target.admin, database: "able" },
      "SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname IN ('t', 'v', 's')",
    ),
    [{ owner: "own" }, { owner: "own" }, { owner: "own" }],
  );
  await sql(cutover.source, "INSERT INTO t VALUES (0, 'writable')");
});

/** An administrator who may act for the owners, on both sides. */
async function ablePair(name: string): Promise<CutoverSettings> {
  const cutover = await ordinaryPair(name);
  for (const { admin } of [clusters.source, clusters.target])
    await sql(
      { ...admin, database: name },
      "GRANT own, app TO keeper; GRANT pg_read_all_stats, pg_signal_backend TO keeper",
    );
  await sql({ ...clusters.source.admin, database: name }, acknowledgedTable);
  return cutover;
}

test("an ordinary administrator switches under full-speed writers, and no acknowledged write is lost", async (t) => {
  const cutover = await ablePair("ordinary");
  const start = (user: string, name: string) =>
    [name, startWriter({ settings: asRole(cutover.source, user), name, explicit: true })] as const;
  const writers = [start("app", "client"), start("own", "owner")];
  t.after(() => Promise.all(writers.map(([, writer]) => writer.stop())));
  await until(() => writers.every(([, writer]) => writer.acknowledged.size > 10));
  const record = await reachComplete(cutover);
  assert.deepEqual(record.verify.differences, []);
  for (const [, writer] of writers) await writer.stop();
  await withClient(cutover.target, async (client) => {
    for (const [name, writer] of writers) assert.deepEqual(await missingWrites(client, name, writer), []);
  });
  for (const user of ["app", "own"])
    await assert.rejects(
      sql(asRole(cutover.source, user), "BEGIN READ WRITE; DELETE FROM acknowledged; COMMIT"),
      /frozen for a cutover/,
    );
  await rehearse(cutover).catch((error: Error) => assert.fail(error));
  await sql(asRole(cutover.source, "own"), "INSERT INTO acknowledged (writer, n) VALUES ('thawed', 1)");
});

/** Who may create what in database and schemas, whoever has granted it, as the server keeps it. */
const creation = `SELECT nspname::text AS object, a.grantee::regrole::text, a.grantor::regrole::text, a.is_grantable
  FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a WHERE privilege_type = 'CREATE' AND nspname !~ '^pg_'
  UNION ALL SELECT 'database', a.grantee::regrole::text, a.grantor::regrole::text, a.is_grantable
  FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
  WHERE privilege_type = 'CREATE' AND datname = current_database() ORDER BY 1, 2, 3`;

test("under a freeze without event trigger nobody creates or changes an object, superusers too, and afterwards everybody may again", async () => {
  const cutover = await ablePair("locked");
  const [owner, superuser] = [asRole(cutover.source, "own"), { ...cutover.source, ...bossOf(clusters) }];
  await sql(owner, "CREATE SCHEMA stats; GRANT CREATE ON SCHEMA stats TO app WITH GRANT OPTION");
  await sql(asRole(cutover.source, "app"), "GRANT CREATE ON SCHEMA stats TO third");
  const before = await sql(cutover.source, creation);
  await reachVerify(cutover);
  for (const statement of [
    "CREATE TABLE stats.late (x int)",
    "CREATE SCHEMA late",
    "CREATE VIEW late AS SELECT 1",
  ])
    await assert.rejects(
      sql(owner, `BEGIN READ WRITE; ${statement}; COMMIT`),
      /permission denied/,
      statement,
    );
  for (const statement of [
    "ALTER TABLE acknowledged DISABLE TRIGGER ALL",
    "ALTER TABLE t ADD y int",
    "DROP TABLE t CASCADE",
  ])
    await assert.rejects(
      sql(owner, `BEGIN READ WRITE; ${statement}; COMMIT`),
      /canceling statement/,
      statement,
    );
  await assert.rejects(
    sql(
      superuser,
      "BEGIN READ WRITE; SET LOCAL lock_timeout = '300ms'; ALTER TABLE t DISABLE TRIGGER ALL; COMMIT",
    ),
    /lock timeout/,
  );
  await assert.rejects(sql(owner, "BEGIN READ WRITE; DELETE FROM t; COMMIT"), /frozen for a cutover/);
  assert.deepEqual(await sql(owner, "SELECT count(*)::int AS n FROM t"), [{ n: 100 }]);
  await rehearse(cutover);
  assert.deepEqual(await sql(cutover.source, creation), before);
  await sql(owner, "CREATE TABLE stats.late (x int); ALTER TABLE t ADD y int");
});

test("a change of definitions that gets through, and is taken back, is named, rolls the switch back, and its write is not lost", async () => {
  const cutover = await ablePair("evaded");
  const superuser = { ...cutover.source, ...bossOf(clusters) };
  await reachVerify(cutover);
  await sql(
    superuser,
    `BEGIN READ WRITE; SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'acknowledged'::regclass;
     ALTER TABLE acknowledged DISABLE TRIGGER pgstack_freeze; INSERT INTO acknowledged (writer, n) VALUES ('evader', 1);
     ALTER TABLE acknowledged ENABLE ALWAYS TRIGGER pgstack_freeze; COMMIT`,
  );
  await assert.rejects(
    reachComplete(cutover),
    /Definitions of the source were changed under the freeze \(table public\.acknowledged\)/,
  );
  await sql(asRole(cutover.source, "own"), "UPDATE acknowledged SET n = n");
  assert.deepEqual((await reachComplete(cutover)).verify.differences, []);
  assert.deepEqual(
    await sql(asRole(cutover.target, "own"), "SELECT count(*)::int AS rows FROM acknowledged"),
    [{ rows: 1 }],
  );
});

test("large objects are copied and compared as their owners, and stand in the way of a switch only", async () => {
  const cutover = await ablePair("large");
  await sql(
    asRole(cutover.source, "own"),
    "SELECT lo_from_bytea(0, 'hello'); SELECT lo_from_bytea(0, convert_to(repeat('x', 3000000), 'UTF8'))",
  );
  const report = await rehearse(cutover);
  assert.deepEqual(report.verify?.differences, []);
  assert.equal(report.copy?.largeObjects, 2);
  assert.match(
    report.blocking.join("\n"),
    /large objects, and its administrator may not take the right to write them/,
  );
  const sizes =
    "SELECT length(lo_get(oid)) AS bytes, lomowner::regrole::text AS owner FROM pg_largeobject_metadata ORDER BY 1";
  assert.deepEqual(await sql(asRole(cutover.target, "own"), sizes), [
    { bytes: 5, owner: "own" },
    { bytes: 3000000, owner: "own" },
  ]);
});

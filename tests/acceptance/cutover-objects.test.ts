import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { verifyDatabases } from "../../runner/cutover/compare/verify.ts";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { reachComplete, reachCopy, reachVerify } from "../../runner/cutover/stages/after-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { type CutoverClusters, startCutoverClusters } from "../support/cutover-clusters.ts";
import { sql } from "../support/databases.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters();
});
after(() => clusters[Symbol.asyncDispose]());

const indexes = (cutover: CutoverSettings) =>
  sql(cutover.target, "SELECT indexname AS name FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1").then(
    (rows) => rows.map(({ name }) => name),
  );

for (const [kind, statement] of [
  ["gin", "CREATE INDEX zz ON a USING gin (j)"],
  ["gist", "CREATE INDEX zz ON a USING gist (p)"],
  ["btree", "CREATE INDEX zz ON a (id)"],
] as const)
  test(`a source whose last object is a ${kind} index arrives whole, with its owners and grants`, async () => {
    const cutover = { ...(await clusters.pair(`last_${kind}`)), declaredRoles: [] };
    await sql(
      cutover.source,
      `CREATE TABLE a (id int PRIMARY KEY, j jsonb, p point); INSERT INTO a SELECT i, '{}', point(i, i) FROM generate_series(1, 100) i;
       ALTER TABLE a OWNER TO third; GRANT SELECT ON a TO app; ${statement}`,
    );
    assert.deepEqual((await rehearse(cutover)).verify?.differences, []);
    await reachComplete(cutover);
    assert.deepEqual(await indexes(cutover), ["a_pkey", "zz"]);
    assert.deepEqual(
      await sql(
        cutover.target,
        "SELECT relowner::regrole::text AS owner, has_table_privilege('app', oid, 'SELECT') AS granted FROM pg_class WHERE relname = 'a'",
      ),
      [{ owner: "third", granted: true }],
    );
  });

/** An object of each kind that has an owner, and what gives it to another role. */
const owned: Record<string, [create: string, alter: string]> = {
  table: ["CREATE TABLE c (x int)", "TABLE c"],
  view: ["CREATE VIEW v AS SELECT 1", "VIEW v"],
  sequence: ["CREATE SEQUENCE s", "SEQUENCE s"],
  function: ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "FUNCTION f()"],
  type: ["CREATE TYPE e AS ENUM ('a')", "TYPE e"],
  schema: ["CREATE SCHEMA z", "SCHEMA z"],
  statistics: ["CREATE TABLE d (x int, y int); CREATE STATISTICS st ON x, y FROM d", "STATISTICS st"],
  publication: ["CREATE PUBLICATION pub", "PUBLICATION pub"],
  "text search configuration": [
    "CREATE TEXT SEARCH CONFIGURATION ts (COPY = simple)",
    "TEXT SEARCH CONFIGURATION ts",
  ],
  collation: ['CREATE COLLATION co FROM "C"', "COLLATION co"],
};

test("an object of any kind whose owner on the target is another is a difference, the server's first superuser's too", async () => {
  const cutover = await clusters.pair("owned");
  await sql(clusters.source.admin, "GRANT CREATE ON DATABASE owned TO own");
  for (const [create, alter] of Object.values(owned)) {
    await sql(cutover.source, create);
    await sql(cutover.source, `ALTER ${alter} OWNER TO own`);
  }
  await reachCopy(cutover);
  for (const [, alter] of Object.values(owned)) await sql(cutover.target, `ALTER ${alter} OWNER TO postgres`);
  const { differences } = await verifyDatabases(cutover);
  for (const kind of Object.keys(owned))
    assert.match(
      differences.join("\n"),
      new RegExp(`owner of ${kind}\\S* .*: own expected, found postgres`),
      kind,
    );
  await assert.rejects(reachVerify(cutover), /owner of table public\.c: own expected, found postgres/);
  await reachComplete(cutover);
});

test("a replica identity whose index is gone stops nothing for a copy, and is named for replication", async () => {
  const cutover = await clusters.pair("identity");
  await sql(
    cutover.source,
    `CREATE TABLE i (id int NOT NULL); CREATE UNIQUE INDEX gone ON i (id);
     ALTER TABLE i REPLICA IDENTITY USING INDEX gone; DROP INDEX gone; INSERT INTO i VALUES (1)`,
  );
  await assert.rejects(
    rehearse({ ...cutover, method: "replicate" }),
    /table public\.i has no replica identity/,
  );
  const report = await rehearse(cutover);
  assert.match(
    report.notes.join("\n"),
    /table public\.i has REPLICA IDENTITY USING INDEX, and the index is gone/,
  );
  assert.deepEqual((await reachComplete(cutover)).verify.differences, []);
});

test("what names a role that the target lacks is left out and named, or stands in the way before anything is frozen", async () => {
  const cutover = await clusters.pair("absentees");
  await sql(clusters.source.admin, 'CREATE ROLE absent; CREATE ROLE "absent two"');
  await sql(
    cutover.source,
    `CREATE EXTENSION postgres_fdw; CREATE SERVER fs FOREIGN DATA WRAPPER postgres_fdw;
     CREATE USER MAPPING FOR absent SERVER fs OPTIONS (user 'x', password 'mapping-secret');
     CREATE USER MAPPING FOR "absent two" SERVER fs; CREATE USER MAPPING FOR app SERVER fs; CREATE USER MAPPING FOR PUBLIC SERVER fs;
     CREATE TABLE t (x int)`,
  );
  const { notes } = await rehearse(cutover);
  assert.match(notes.join("\n"), /user mapping of absent on server fs is left out/);
  assert.match(notes.join("\n"), /user mapping of absent two on server fs is left out/);
  const mapped = "SELECT usename AS name FROM pg_user_mappings ORDER BY 1";
  assert.deepEqual(await sql(cutover.target, mapped), [{ name: "app" }, { name: "public" }]);
  await sql(cutover.source, "CREATE POLICY p ON t TO absent USING (true)");
  await assert.rejects(rehearse(cutover), (error: Error) => {
    assert.match(error.message, /POLICY t p of the source: role "absent" does not exist/);
    return error.name === "UserError";
  });
  await sql(cutover.source, "DROP POLICY p ON t");
  await reachComplete(cutover);
  await sql(cutover.target, "DROP SERVER fs CASCADE");
  await sql(cutover.source, "SELECT 1");
});

test("an administrator who is another superuser than the first carries nothing of ours to the new side", async () => {
  const pair = await clusters.pair("second_boss");
  const boss = { user: "boss", password: "boss" };
  const cutover: CutoverSettings = {
    ...pair,
    method: "replicate",
    source: { ...pair.source, ...boss },
    target: { ...pair.target, ...boss },
  };
  await sql(
    cutover.source,
    "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION theirs FOR TABLE t; COMMENT ON PUBLICATION theirs IS 'kept'",
  );
  assert.deepEqual((await rehearse(cutover)).verify?.differences, []);
  assert.deepEqual((await rehearse(cutover)).verify?.differences, []);
  assert.deepEqual(await sql(cutover.target, "SELECT pubname AS name FROM pg_publication"), [
    { name: "theirs" },
  ]);
  await sql(cutover.source, "INSERT INTO t VALUES (1)");
  await reachComplete(cutover);
  assert.deepEqual(await sql(cutover.target, "SELECT id FROM t"), [{ id: 1 }]);
});

test("no time limit of a database or a role ends a session of a cutover, the replication ones neither", async () => {
  const pair = await clusters.pair("limited");
  const cutover: CutoverSettings = { ...pair, method: "replicate" };
  await sql(
    cutover.source,
    "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i",
  );
  for (const setting of [
    "statement_timeout = '30ms'",
    "lock_timeout = '20ms'",
    "idle_in_transaction_session_timeout = '50ms'",
    "idle_session_timeout = '50ms'",
  ])
    for (const side of [cutover.source, cutover.target]) {
      await sql({ ...side, database: "postgres" }, `ALTER DATABASE limited SET ${setting}`);
      await sql({ ...side, database: "postgres" }, `ALTER ROLE postgres IN DATABASE limited SET ${setting}`);
    }
  assert.deepEqual((await rehearse(cutover)).verify?.differences, []);
  await withClient(cutover.source, (client) => client.query("INSERT INTO t VALUES (0, 'later')"));
  assert.deepEqual((await reachComplete(cutover)).verify.differences, []);
});

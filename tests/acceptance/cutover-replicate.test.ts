import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAsSource, checkCutover } from "../../runner/cutover/check.ts";
import { verifyDatabases } from "../../runner/cutover/compare/verify.ts";
import { unfreeze } from "../../runner/cutover/freeze/freeze.ts";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { reachComplete, reachCopy, reachVerify } from "../../runner/cutover/stages/after-freeze.ts";
import { reachFreeze, reachPrepare } from "../../runner/cutover/stages/before-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { readStatus } from "../../runner/cutover/state/status.ts";
import { asRole, type CutoverClusters, startCutoverClusters } from "../support/cutover-clusters.ts";
import { runCommand, sql, urlOf } from "../support/databases.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters();
});
after(() => clusters[Symbol.asyncDispose]());

/** Keys of several columns, of types whose text depends on settings or has another equality, with odd names. */
const oddTables = `
  CREATE EXTENSION citext;
  CREATE TABLE "O dd" ("a""t" timestamptz, name citext, n numeric, k char(4), body text, d int GENERATED ALWAYS AS (1) STORED,
    PRIMARY KEY ("a""t", name, n, k));
  INSERT INTO "O dd" SELECT '2024-01-01 00:00:00.123456+00'::timestamptz + i * interval '1 microsecond', 'N''\\"ä' || i, i * 1.10, 'x',
    (SELECT string_agg(md5((i * 1000 + j)::text), '') FROM generate_series(1, 200) j) FROM generate_series(1, 500) i;
  CREATE TABLE other (id int PRIMARY KEY, seen uuid UNIQUE NOT NULL, note text);
  INSERT INTO other SELECT i, md5(i::text)::uuid, 'n' FROM generate_series(1, 500) i;
  CREATE UNIQUE INDEX other_seen ON other (seen); ALTER TABLE other REPLICA IDENTITY USING INDEX other_seen;
  CREATE TABLE emptied (id int PRIMARY KEY); INSERT INTO emptied SELECT generate_series(1, 100);
  CREATE TABLE keyless (x int, y text); INSERT INTO keyless SELECT i % 7, 'y' FROM generate_series(1, 50) i;
  CREATE TABLE parted (id int PRIMARY KEY, t text) PARTITION BY RANGE (id);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100); CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
  INSERT INTO parted SELECT i, 't' FROM generate_series(1, 200) i`;

/** Rows that come, go, move to another key or partition, and large values that are not sent again. */
const oddChanges = `
  UPDATE "O dd" SET n = n + 0.5 WHERE n < 5; UPDATE "O dd" SET name = upper(name::text) WHERE n BETWEEN 6 AND 9;
  UPDATE "O dd" SET k = 'y' WHERE n BETWEEN 10 AND 12; DELETE FROM "O dd" WHERE n > 540; UPDATE "O dd" SET body = 'short' WHERE n BETWEEN 20 AND 22;
  UPDATE other SET seen = md5(id::text || 'x')::uuid WHERE id < 20; UPDATE other SET note = NULL WHERE id BETWEEN 30 AND 40;
  TRUNCATE emptied; INSERT INTO emptied VALUES (7);
  DELETE FROM keyless WHERE x = 3; UPDATE keyless SET y = 'z' WHERE x = 4; INSERT INTO keyless VALUES (NULL, NULL);
  UPDATE parted SET id = id + 1000 WHERE id < 10; INSERT INTO parted VALUES (0, 'new')`;

async function following(name: string, schema: string): Promise<CutoverSettings> {
  const pair = await clusters.pair(name);
  const cutover = { ...pair, method: "replicate" as const, replicaIdentityFull: ["public.keyless"] };
  await sql(cutover.source, schema);
  await rehearse(cutover);
  return cutover;
}

const slots = (cutover: CutoverSettings) =>
  sql(cutover.source, "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()");

test("under the freeze only rows written since the comparison ahead are compared, and both sides end the same", async () => {
  const cutover = await following("odd", oddTables);
  const ahead = await reachPrepare(cutover);
  assert.equal(ahead?.rows, 1350);
  await assert.rejects(
    sql(asRole(cutover.target, "boss"), "DELETE FROM other"),
    /about to move another one here/,
  );
  const { stdout } = await runCommand(["cutover", "status", "--url", urlOf(clusters.target, "odd")]);
  assert.match(stdout, /compared ahead of a freeze at .*: 1350 rows/);
  await sql(cutover.source, oddChanges);
  assert.equal((await reachPrepare(cutover))?.rows, 1350, "what was compared before still holds");
  await reachFreeze(cutover);
  const { verify } = await reachComplete(cutover);
  assert.deepEqual(verify.differences, []);
  assert.ok(verify.rows < 150, `${verify.rows} rows: those written since, and the table without a key`);
  assert.deepEqual((await verifyDatabases(cutover)).differences, []);
  assert.deepEqual(await slots(cutover), []);
  await sql(cutover.target, "DELETE FROM other");
});

test("a row that replication lost is found under the freeze, which ends at once; the next switch copies again", async () => {
  const cutover = await following("losing", oddTables);
  await reachPrepare(cutover);
  await sql(cutover.target, "SET session_replication_role = replica; DELETE FROM other WHERE id = 77");
  await sql(
    cutover.source,
    "UPDATE other SET note = 'written after the comparison' WHERE id IN (76, 77, 78)",
  );
  await assert.rejects(reachVerify(cutover), (error: Error & { exitCode: number }) => {
    assert.match(error.message, /table public\.other: 3 rows on the source, 2 on the target/);
    return error.exitCode === 3;
  });
  assert.deepEqual(await slots(cutover), []);
  await sql(cutover.source, "UPDATE other SET note = 'writable' WHERE id = 77");
  await sql(cutover.target, "DELETE FROM emptied");
  const { verify } = await reachComplete(cutover);
  assert.equal(verify.ahead?.rows, 1350);
  assert.deepEqual((await verifyDatabases(cutover)).differences, []);
});

test("the run that freezes compares as well; what is changed on the target after that is found by the stage that reports it", async () => {
  const cutover = await following("early", oddTables);
  await reachPrepare(cutover);
  await sql(cutover.source, "UPDATE other SET note = 'written after the comparison' WHERE id = 77");
  const { epoch } = await reachFreeze(cutover);
  assert.equal((await readStatus(cutover.target)).asTarget?.compared?.epoch, epoch);
  await sql(
    cutover.target,
    "SET session_replication_role = replica; UPDATE other SET note = 'spoiled' WHERE id = 77",
  );
  await reachCopy(cutover);
  await assert.rejects(
    reachVerify(cutover),
    /public\.other: 1 rows on both sides, but their contents differ$/,
  );
  await sql(cutover.source, "UPDATE other SET note = 'writable' WHERE id = 77");
});

test("a sequence that gave numbers on the new side since the comparison continues from there", async () => {
  const numbered = "CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text)";
  const cutover = await following("numbered", numbered);
  await sql(cutover.source, "INSERT INTO numbered (note) SELECT 'old' FROM generate_series(1, 5)");
  await reachVerify(cutover);
  await sql(cutover.target, "INSERT INTO numbered (note) VALUES ('by a migration')");
  await reachComplete(cutover);
  assert.deepEqual(await sql(cutover.target, "INSERT INTO numbered (note) VALUES ('new') RETURNING id"), [
    { id: 7 },
  ]);
});

test("a switch that is given up leaves replication as it is, and the next one continues", async () => {
  const cutover = await following("resumed", oddTables);
  await reachFreeze(cutover);
  await unfreeze(cutover.source, cutover.stack);
  await sql(cutover.source, "UPDATE other SET note = 'written between' WHERE id = 77");
  assert.deepEqual((await reachComplete(cutover)).verify.differences, []);
  assert.deepEqual((await verifyDatabases(cutover)).differences, []);
});

test("what was changed on the target before the comparison ahead is found while the source stays in use", async () => {
  const cutover = await following("spoiled", oddTables);
  await sql(
    cutover.target,
    "UPDATE other SET note = 'spoiled' WHERE id = 5; DELETE FROM keyless WHERE x = 1",
  );
  await assert.rejects(
    reachPrepare(cutover),
    /table public\.keyless: 50 rows on the source, 42 on the target\n {2}table public\.other: 500 rows on both sides, but their contents differ/,
  );
  await sql(cutover.source, "UPDATE other SET note = 'writable' WHERE id = 77");
  assert.deepEqual(await slots(cutover), []);
});

test("rows that a definition rewrote, which replication does not carry, are found under the freeze", async () => {
  const cutover = await following("rewritten", oddTables);
  await reachPrepare(cutover);
  await sql(cutover.source, "ALTER TABLE other ALTER note TYPE text USING note || id");
  await assert.rejects(
    reachVerify(cutover),
    /public\.other: 500 rows on both sides, but their contents differ$/,
  );
});

test("definitions that changed since the copy are named on both sides, and copied again before the freeze", async () => {
  const cutover = await following("altered", oddTables);
  const preview = () => checkCutover(cutover, () => {}, { wait: false, switching: false });
  assert.deepEqual((await preview()).outOfDate, []);
  const [follower, ...others] = await checkAsSource(cutover.source);
  assert.match(
    follower ?? "",
    /^Stack "[^"]+" follows this database by replication, which carries no definitions/,
  );
  assert.deepEqual(others, []);
  await sql(
    cutover.source,
    "ALTER TABLE other ADD COLUMN more int DEFAULT 5; CREATE TABLE added (id int PRIMARY KEY)",
  );
  const changed = (await preview()).outOfDate.join("\n");
  for (const name of [/public\.other/, /public\.added/]) assert.match(changed, name);
  await reachPrepare(cutover);
  assert.deepEqual((await preview()).outOfDate, []);
  await sql(cutover.source, "INSERT INTO added VALUES (1)");
  await reachComplete(cutover);
  const moved = (await checkAsSource(cutover.source)).join("\n");
  assert.match(
    moved,
    /^This database has moved to .* by the cutover of stack "[^"]+", and stays read-only since /,
  );
  assert.deepEqual(await sql(cutover.target, "SELECT id FROM added"), [{ id: 1 }]);
});

test("a target that cannot apply what was written is given up, and the source is writable again", async () => {
  const schema = `
    CREATE FUNCTION marked(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || '!' $$;
    CREATE FUNCTION loud(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN marked(upper($1)); END $$;
    CREATE TABLE noted (id int PRIMARY KEY, note text, loud text GENERATED ALWAYS AS (loud(note)) STORED);
    INSERT INTO noted VALUES (1, 'copied')`;
  const cutover = await following("unapplied", schema);
  await reachPrepare(cutover);
  await sql(cutover.source, "INSERT INTO noted VALUES (2, 'replicated')");
  await assert.rejects(reachFreeze(cutover), /does not apply[\s\S]*ALTER FUNCTION … SET search_path/);
  await sql(
    cutover.source,
    "ALTER FUNCTION loud SET search_path = public; INSERT INTO noted VALUES (3, 'writable')",
  );
  await rehearse(cutover);
  await sql(cutover.source, "INSERT INTO noted VALUES (4, 'replicated')");
  await reachComplete(cutover);
  assert.deepEqual(await sql(cutover.target, "SELECT loud FROM noted WHERE id > 2"), [
    { loud: "WRITABLE!" },
    { loud: "REPLICATED!" },
  ]);
});

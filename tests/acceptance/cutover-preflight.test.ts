import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkCutover } from "../../runner/cutover/check.ts";
import { findPreflightIssues, type PreflightIssues } from "../../runner/cutover/preflight.ts";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { reachFreeze } from "../../runner/cutover/stages/before-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { endCutover } from "../../runner/cutover/stages/rollback.ts";
import { stopCluster } from "../../runner/postgres/cluster.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { serverProcess } from "../../runner/postgres/pid-file.ts";
import {
  acknowledgedTable,
  type CutoverClusters,
  startCutoverClusters,
} from "../support/cutover-clusters.ts";
import { scriptOf, sql } from "../support/databases.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters({ max_prepared_transactions: 2 });
});
after(() => clusters[Symbol.asyncDispose]());

const issuesOf = (cutover: CutoverSettings): Promise<PreflightIssues> =>
  withClient(cutover.source, (source) =>
    withClient(cutover.target, (target) => findPreflightIssues(source, target, cutover)),
  );

function assertEach(texts: readonly string[], patterns: readonly RegExp[]): void {
  for (const pattern of patterns) assert.match(texts.join("\n"), pattern);
}

test("a rehearsal names what stands in the way, and what travels changed or not at all", async () => {
  const cutover = await clusters.pair("strange");
  await sql(clusters.source.admin, "CREATE ROLE stranger; CREATE ROLE guest");
  for (const statement of [
    `CREATE TABLE keyless (x int); CREATE UNLOGGED TABLE fleeting (x int);
     CREATE TABLE strangers (x int CHECK (x > 0)); ALTER TABLE strangers OWNER TO stranger;
     GRANT SELECT ON keyless TO guest; ALTER TABLE keyless ADD CHECK (x > 1) NOT VALID;
     SELECT lo_from_bytea(0, 'x'); CREATE EXTENSION postgres_fdw; CREATE EXTENSION hstore VERSION '1.7';
     CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE far (x int) SERVER elsewhere;
     INSERT INTO keyless VALUES (2), (2)`,
    "CREATE SUBSCRIPTION news CONNECTION 'host=x' PUBLICATION p WITH (connect = false)",
  ])
    await sql(cutover.source, statement);
  await assert.rejects(sql(cutover.source, "CREATE UNIQUE INDEX CONCURRENTLY twice ON keyless (x)"));
  await sql(cutover.source, "BEGIN; INSERT INTO fleeting VALUES (1); PREPARE TRANSACTION 'late'");
  const { blocking, notes } = await issuesOf(cutover);
  assert.deepEqual(blocking, ["prepared transaction late would outlive the freeze"]);
  assertEach(notes, [
    /extension hstore is 1\.7 on the source, \S+ on the target/,
    /foreign table public\.far: its rows stay on their server/,
    /subscription news is not copied/,
    /index public\.twice is invalid, and is left out/,
    /constraint keyless_x_check on keyless is NOT VALID, and stays so/,
    /unlogged table public\.fleeting is copied, and stays unlogged/,
    /role stranger is missing on the target: what it owns goes to the owner/,
    /role guest is missing on the target: its grants are left out/,
  ]);
  const asked = await checkCutover(cutover, () => {}, { wait: false, switching: true });
  assertEach(asked.refusals, [/switch would not get through:\n {2}prepared transaction late would outlive/]);
  await assert.rejects(reachFreeze(cutover), /cannot be frozen because of the prepared transaction late/);
  await sql(cutover.source, "INSERT INTO keyless VALUES (3)");
  await sql(cutover.source, "ROLLBACK PREPARED 'late'");
  await sql(cutover.source, "ALTER SUBSCRIPTION news SET (slot_name = NONE)");
  await sql(cutover.source, "DROP SUBSCRIPTION news");
  const replicating = await issuesOf({ ...cutover, method: "replicate" });
  assertEach(replicating.blocking, [
    /table public\.keyless has no replica identity/,
    /unlogged table public\.fleeting is not replicated/,
    /large objects are not replicated: use method copy/,
  ]);
});

test("an extension that the target's server lacks is named by a rehearsal, and the source stays as it is", async () => {
  const cutover = await clusters.pair("lacking");
  const lines: string[] = [];
  // as far as both servers say, it is one that only the source's has
  await sql(cutover.source, "CREATE EXTENSION hstore");
  await sql(cutover.source, "UPDATE pg_extension SET extname = 'only_there' WHERE extname = 'hstore'");
  await assert.rejects(
    rehearse(cutover, (line) => void lines.push(line)),
    /only_there/,
  );
  assert.ok(
    lines.includes("in the way of a switch: extension only_there is not installed on the target's server"),
  );
  await sql(cutover.source, "CREATE TABLE writable (x int)");
});

test("encodings and sort orders that differ are said before anything is copied", async () => {
  const cutover = await clusters.pair("texts");
  const narrow = { ...cutover, target: { ...cutover.target, database: "narrow" } };
  await sql(
    clusters.target.admin,
    "CREATE DATABASE narrow OWNER own ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
  );
  const { blocking, notes } = await issuesOf(narrow);
  assertEach(blocking, [/target's encoding LATIN1 cannot hold every text of the source's UTF8/]);
  assert.deepEqual((await issuesOf(cutover)).blocking, []);
  assertEach(notes, [
    /text sorts by C on the target, by (builtin )?C\.UTF-?8 on the source; indexes are rebuilt/i,
  ]);
  const icu = { ...cutover, target: { ...cutover.target, database: "icu" } };
  await sql(
    clusters.target.admin,
    "CREATE DATABASE icu OWNER own LOCALE_PROVIDER icu ICU_LOCALE 'de' TEMPLATE template0",
  );
  assertEach((await issuesOf(icu)).notes, [/text sorts by ICU de on the target, by \S+/]);
});

test("an end of the cutover thaws the source as it was, and leaves no slot, even where the target is gone", async () => {
  const cutover = { ...(await clusters.pair("gone")), method: "replicate" as const };
  await sql(cutover.source, acknowledgedTable);
  const before = await scriptOf(clusters.source, cutover.source, "--schema-only");
  await rehearse(cutover);
  await reachFreeze(cutover);
  await assert.rejects(sql(cutover.source, "BEGIN READ WRITE; TRUNCATE acknowledged"), /frozen/);
  await stopCluster(clusters.target.place);
  assert.equal(serverProcess(clusters.target.place), undefined);
  assert.deepEqual(await endCutover(cutover), { thawed: true });
  assert.equal(await scriptOf(clusters.source, cutover.source, "--schema-only"), before);
  assert.deepEqual(await sql(cutover.source, "SELECT slot_name FROM pg_replication_slots"), []);
  assert.deepEqual(await sql(cutover.source, "SELECT pubname FROM pg_publication"), []);
});

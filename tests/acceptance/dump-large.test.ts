import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runCommand, scriptOf, sql, startCommand, urlOf } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

/** A table that several sessions load together, with all that waits for it, and what a line may look like. */
const schema = `
  CREATE SCHEMA "My App";
  CREATE TABLE "My App"."large one" (
    "the id" bigint NOT NULL, words jsonb NOT NULL, note text, loud text GENERATED ALWAYS AS (upper(left(note, 9))) STORED);
  INSERT INTO "My App"."large one" ("the id", words, note)
    SELECT g, jsonb_build_object('a', md5(g::text), 'b', g % 7),
      (ARRAY[E'two\\nlines', E'\\\\.', E'tab\\tand \\\\N', 'é ü 漢', NULL])[1 + g % 5] || repeat(md5(g::text), 9)
    FROM generate_series(1, 60000) g;
  INSERT INTO "My App"."large one" ("the id", words, note)
    VALUES (60001, '{}', (SELECT string_agg(md5(g::text), E'\\n') FROM generate_series(1, 50000) g));
  ALTER TABLE "My App"."large one" ADD PRIMARY KEY ("the id");
  CREATE INDEX "by words" ON "My App"."large one" USING gin (words);
  COMMENT ON INDEX "My App"."by words" IS 'slow to build';
  CREATE INDEX ON "My App"."large one" (left(note, 20));
  CREATE TABLE small (id int, large bigint REFERENCES "My App"."large one");
  INSERT INTO small SELECT g, g FROM generate_series(1, 100) g;
  SELECT lo_from_bytea(4711, 'a large object')`;

let cluster: ThrowawayCluster;
let folder: string;

const on = (database: string) => ({ ...cluster.admin, database });
const restoreArgs = (path: string) => [
  ...["restore", path, "--url", urlOf(cluster, "target"), "--owner", "app"],
  ...["--jobs", "4", "--overwrite", "--json"],
];
const halfFilled = () =>
  sql(cluster.admin, "SELECT datname FROM pg_database WHERE datname LIKE 'pgstack\\_restore\\_%'");
const contentOf = (database: string) =>
  sql(
    on(database),
    `SELECT count(*), sum(hashtextextended(t::text, 0)) FROM "My App"."large one" t
    UNION ALL SELECT count(*), sum(hashtextextended(t::text, 0)) FROM small t`,
  );

async function dumpOf(database: string): Promise<string> {
  const path = join(folder, database);
  const made = await runCommand([
    ...["dump", "--url", urlOf(cluster, database), "--out", path],
    ...["--format", "directory", "--compression", "none", "--jobs", "2"],
  ]);
  assert.equal(made.code, 0, made.stderr);
  return path;
}

before(async () => {
  cluster = await startThrowawayCluster({ settings: { log_statement: "all", log_line_prefix: "%d " } });
  folder = mkdtempSync(join(tmpdir(), "pgstack-large-"));
  await sql(cluster.admin, "CREATE ROLE app");
  for (const name of ["source", "target"]) await sql(cluster.admin, `CREATE DATABASE ${name}`);
  await sql(on("source"), schema);
  await sql(on("target"), "CREATE TABLE before AS SELECT 1 AS a");
});

after(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

const stillThere = async () => assert.deepEqual(await sql(on("target"), "SELECT a FROM before"), [{ a: 1 }]);

test("a row that the server does not take gives the restore up, and the table is named", async () => {
  const path = await dumpOf("source");
  const file = readdirSync(path)
    .map((name) => join(path, name))
    .sort((one, other) => statSync(other).size - statSync(one).size)[0] as string;
  const rows = readFileSync(file);
  writeFileSync(file, rows.fill("x", rows.indexOf("\n40000\t") + 1, rows.indexOf("\n40000\t") + 2));
  const failed = await runCommand(restoreArgs(path));
  assert.equal(failed.code, 1);
  assert.match(
    failed.stderr,
    /TABLE DATA My App\.large one: invalid input syntax for type bigint: "x0000" CONTEXT: COPY large one, column the id[\s\S]*as it was before/,
  );
  await stillThere();
  assert.deepEqual(await halfFilled(), []);
  rmSync(path, { recursive: true });
});

test("a restore that is asked to end while sessions load a table leaves the target as it was", async () => {
  await sql(cluster.admin, "CREATE DATABASE slow");
  await sql(
    on("slow"),
    schema,
    `CREATE FUNCTION public.lags() RETURNS bool LANGUAGE sql AS $$
      SELECT CASE WHEN current_database() LIKE 'pgstack%' THEN pg_sleep(0.01) IS NOT NULL ELSE true END $$`,
    'ALTER TABLE "My App"."large one" ADD CHECK (public.lags())',
  );
  const child = startCommand(restoreArgs(await dumpOf("slow")));
  let stderr = "";
  child.stderr?.on("data", (text) => {
    stderr += text;
  });
  await until(async () => {
    const loading = await sql(
      cluster.admin,
      "SELECT FROM pg_stat_progress_copy WHERE datname LIKE 'pgstack\\_restore\\_%' AND tuples_processed > 0",
    );
    return loading.length === 4;
  });
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "close"), [1, null], stderr);
  assert.match(stderr, /Interrupted by SIGTERM[\s\S]*as it was before/);
  await stillThere();
  await until(async () => (await halfFilled()).length === 0);
});

test("several sessions load one table, and the copy has the same rows, keys, indexes and comments", async () => {
  const restored = await runCommand(restoreArgs(await dumpOf("source")));
  assert.equal(restored.code, 0, restored.stderr);
  assert.deepEqual(JSON.parse(restored.stdout).incomplete, []);
  assert.deepEqual(await contentOf("target"), await contentOf("source"));
  const [source, copy] = await Promise.all(
    ["source", "target"].map((name) => scriptOf(cluster, on(name), "--schema-only")),
  );
  assert.equal(copy, source);
  const log = readFileSync(join(cluster.place.directory, "server.log"), "utf8");
  const lastRestore = log.slice(log.lastIndexOf('CREATE DATABASE "pgstack_restore_'));
  assert.equal(lastRestore.match(/COPY "My App"\."large one" .* FROM stdin/g)?.length, 4);
});

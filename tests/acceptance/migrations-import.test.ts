// Folders of other tools' migrations become ours, and run.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { findVersionTables, reachedBy } from "../../runner/adopt/version-tables.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { callCommand, makeBench } from "../support/migrations.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
before(async () => {
  cluster = await startThrowawayCluster();
});
after(() => cluster.close());

/** A folder of files that is gone afterwards. */
function folderOf(files: Readonly<Record<string, string>>): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "pgstack-import-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

interface Case {
  readonly files: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  /** How many cannot be reverted, of the first ones. */
  readonly irreversible?: number;
}

const a = "CREATE TABLE a (id int);\n-- a; comment\nINSERT INTO a VALUES (1);";
const b = "ALTER TABLE a ADD b text DEFAULT ';';";
const index = "CREATE INDEX CONCURRENTLY a_b ON a (b);";

const cases: Readonly<Record<string, Case>> = {
  Flyway: {
    files: {
      "V1.2__a.sql": a,
      "V1.10__add b.sql": b,
      "V2__index.sql": index,
      "U1.10__add b.sql": "ALTER TABLE a DROP b;",
      "R__view.sql": "CREATE OR REPLACE VIEW v AS SELECT 1;",
    },
    names: ["102_a", "110_add_b", "200_index"],
  },
  dbmate: {
    files: {
      "20240101000000_a.sql": `-- migrate:up\n${a}\n\n-- migrate:down\nDROP TABLE a;\n`,
      "20240102000000_b.sql": `-- migrate:up\n${b}\n-- migrate:down\nALTER TABLE a DROP b;\n`,
      "20240103000000_index.sql": `-- migrate:up transaction:false\n${index}\n-- migrate:down transaction:false\nDROP INDEX a_b;\n`,
    },
    names: ["20240101000000_a", "20240102000000_b", "20240103000000_index"],
  },
  "golang-migrate": {
    files: {
      "9_a.up.sql": `BEGIN;\n${a}\nCOMMIT;\n`,
      "9_a.down.sql": "DROP TABLE a;",
      "10_b.up.sql": b,
      "10_b.down.sql": "ALTER TABLE a DROP b;",
      "11_index.up.sql": index,
    },
    names: ["9_a", "10_b", "11_index"],
  },
  Diesel: {
    files: {
      "2024-01-01-000000_a/up.sql": a,
      "2024-01-01-000000_a/down.sql": "DROP TABLE a;",
      "2024-01-02-000000_b/up.sql": b,
      "2024-01-02-000000_b/down.sql": "ALTER TABLE a DROP b;",
      "2024-01-03-000000_index/up.sql": index,
      "2024-01-03-000000_index/metadata.toml": "run_in_transaction = false\n",
      ".diesel_lock": "",
    },
    names: ["20240101000000_a", "20240102000000_b", "20240103000000_index"],
  },
  Prisma: {
    files: {
      "20240101000000_a/migration.sql": a,
      "20240102000000_b/migration.sql": b,
      "20240103000000_index/migration.sql": index,
      "migration_lock.toml": 'provider = "postgresql"',
    },
    names: ["20240101000000_a", "20240102000000_b", "20240103000000_index"],
  },
  "node-pg-migrate": {
    files: {
      "1700000000001_a.sql": `-- Up Migration\n${a}\n-- Down Migration\nDROP TABLE a;\n`,
      "1700000000002_b.sql": `-- Up Migration\n${b}\n-- Down Migration\nALTER TABLE a DROP b;\n`,
      "1700000000003_index.sql": `-- Up Migration\n${index}\n-- Down Migration\n`,
    },
    names: ["1700000000001_a", "1700000000002_b", "1700000000003_index"],
  },
};

for (const [tool, { files, names }] of Object.entries(cases))
  test(`migrations of ${tool} are imported in their order, text kept, and run`, async () => {
    using folder = folderOf(files);
    using bench = await makeBench(cluster);
    const { code, stdout, stderr } = await callCommand("import", [
      folder.path,
      "--directory",
      bench.directory,
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`3 migrations of ${tool}`));
    assert.match(stderr, new RegExp(`baseline: ${names[2]}, adopt: true`));
    if (tool === "Flyway") assert.match(stderr, /Left out, .*R__view\.sql/);
    assert.equal(stdout.trim().split("\n").length, 3);
    assert.ok(readFileSync(join(bench.directory, `${names[0]}.sql`), "utf8").includes(a));
    assert.deepEqual((await bench.apply()).applied, names);
    assert.deepEqual(await bench.query("SELECT b FROM a"), [";"]);
    assert.deepEqual(
      await bench.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_b'::regclass"),
      [true],
    );
  });

test("what cannot be imported is refused with its file, and nothing is written", async () => {
  using bench = await makeBench(cluster);
  const refusals: [Record<string, string>, RegExp][] = [
    [{ "readme.txt": "" }, /no migrations of a known tool.*Flyway: .*node-pg-migrate: /s],
    [{ "V1__a.sql": a, "1_a.up.sql": a }, /holds migrations of Flyway and golang-migrate/],
    [{ "V1__a.sql": "SELECT '$\u007bschema}';" }, /V1__a\.sql: \$\{schema\} is a placeholder of Flyway/],
    [{ "1_a.up.sql": a, "2_b.up.sql": "\n\\i other.sql\n" }, /2_b\.up\.sql:2: "\\i" is a command of psql/],
    [{ "1_a.up.sql": a, "01_b.up.sql": b }, /have one revision/],
    [{ "1_a.sql": `-- Up Migration\n${a}`, "2_b.js": "" }, /2_b\.js: expected SQL, found programs/],
  ];
  for (const [files, expected] of refusals) {
    using folder = folderOf(files);
    const { code, stderr } = await callCommand("import", [folder.path, "--directory", bench.directory]);
    assert.equal(code, 2, String(expected));
    assert.match(stderr, expected);
  }
  bench.migration("9_a", "SELECT 1", "SELECT 1");
  using again = folderOf(cases["golang-migrate"]?.files ?? {});
  assert.match(
    (await callCommand("import", [again.path, "--directory", bench.directory])).stderr,
    /9_a\.sql: there already/,
  );
  assert.deepEqual((await bench.apply()).applied, ["9_a"]);
});

test("the history of another tool names the baseline among what was imported", async () => {
  using bench = await makeBench(cluster);
  const histories: Readonly<Record<string, string>> = {
    "1_a":
      "CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (1, false)",
    "110_add_b":
      "DROP TABLE schema_migrations; CREATE TABLE flyway_schema_history (installed_rank int, version varchar(50)); INSERT INTO flyway_schema_history VALUES (1, '1.02'), (2, '1.10'), (3, NULL)",
    "20240102000000_b":
      "DROP TABLE flyway_schema_history; CREATE TABLE _prisma_migrations (migration_name text, finished_at timestamptz, rolled_back_at timestamptz); INSERT INTO _prisma_migrations VALUES ('20240101000000_a', now()), ('20240102000000_b', now()), ('20240103000000_index', NULL)",
    "1700000000002_b":
      "DROP TABLE _prisma_migrations; CREATE TABLE pgmigrations (id serial, name text); INSERT INTO pgmigrations (name) VALUES ('1700000000001_a'), ('1700000000002_b')",
  };
  const names = Object.keys(histories);
  for (const [name, sql] of Object.entries(histories)) {
    await withClient(bench.owner, (client) => client.query(sql));
    const found = await withClient(bench.owner, findVersionTables);
    assert.equal(reachedBy(found, [...names, "20240103000000_index"]), name);
  }
});

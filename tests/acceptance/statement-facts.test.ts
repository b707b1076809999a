// Compares what pgstack says of each form of a statement with a server: its locks, the files of its tables, its scans.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type pg from "pg";
import { lint } from "../../runner/migrations/lint/lint.ts";
import { readEffects } from "../../runner/plan/effects.ts";
import { openClient, withClient } from "../../runner/postgres/connection.ts";
import { oneRow } from "../../runner/postgres/rows.ts";
import { readCatalog } from "../../runner/revision/catalog/read.ts";
import { isWrittenToEachRow } from "../../runner/revision/rows/computed-columns.ts";
import {
  factOf,
  type Partitioned,
  type StatementForm,
  statementFacts,
} from "../../runner/statement-facts/facts.ts";
import { volatileFunctions } from "../../runner/statement-facts/volatile-functions.ts";
import { type Example, examples } from "../support/statement-examples.ts";
import { filesOf, locksOf, oidsOf, type Seen, watchInside } from "../support/statement-watch.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { until } from "../support/wait.ts";

let cluster: ThrowawayCluster;
before(async () => {
  cluster = await startThrowawayCluster();
});
after(() => cluster.close());

const columns = "(id int PRIMARY KEY, a int, n varchar(10), p point)";
const bases = {
  plain: `CREATE TABLE t ${columns}`,
  partitioned: `CREATE TABLE t ${columns} PARTITION BY RANGE (id); CREATE TABLE leaf PARTITION OF t FOR VALUES FROM (0) TO (100)`,
};
type Kind = keyof typeof bases;

async function makeTables(client: pg.Client, kind: Kind, setup = "SELECT 1"): Promise<void> {
  await client.query(`DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE r (id int PRIMARY KEY); INSERT INTO r SELECT generate_series(1, 9);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    ${bases[kind]}; INSERT INTO t SELECT i, i FROM generate_series(1, 9) AS i;
    CREATE MATERIALIZED VIEW v AS SELECT id FROM t; CREATE UNIQUE INDEX ON v (id); ${setup}`);
}

/** Runs a statement that takes no transaction against a reader that keeps it waiting, and looks at it from beside. */
async function watchBeside(
  client: pg.Client,
  { sql, against = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM t" }: Example,
): Promise<Pick<Seen, "locks"> & { rewritten: boolean }> {
  const oids = await oidsOf(client);
  const files = await filesOf(client, oids);
  const { pid } = await oneRow<{ pid: number }>(client, "SELECT pg_backend_pid() AS pid");
  const reader = await openClient(cluster.superuser);
  const watcher = await openClient(cluster.superuser);
  try {
    await reader.query(against);
    const running = client.query(sql);
    running.catch(() => {});
    const waits =
      "SELECT wait_event_type IS NOT DISTINCT FROM 'Lock' AS waits FROM pg_stat_activity WHERE pid = $1";
    await until(async () => (await oneRow<{ waits: boolean }>(watcher, waits, [pid])).waits);
    const locks = await locksOf(watcher, pid, oids);
    await reader.query("COMMIT");
    await running;
    return { locks, rewritten: (await filesOf(client, oids)) !== files };
  } finally {
    await Promise.all([reader.end(), watcher.end()]);
  }
}

async function check(form: StatementForm, kind: Kind): Promise<void> {
  const { sql, setup, on = "t" } = examples[form];
  const fact = factOf(form);
  const { partitioned } = fact;
  await withClient(cluster.superuser, async (client) => {
    if (kind === "partitioned" && partitioned === "refused") {
      await assert.rejects(
        makeTables(client, kind, setup).then(() => client.query(sql)),
        { severity: "ERROR" },
      );
      return;
    }
    await makeTables(client, kind, setup);
    const seen = fact.alone ? await watchBeside(client, examples[form]) : await watchInside(client, sql);
    const differs: Partitioned = kind === "partitioned" && typeof partitioned === "object" ? partitioned : {};
    const alike = kind === "plain" || partitioned === "alike";
    const [lock, leaf, rows] = alike
      ? [fact.lock, fact.lock, fact.rows]
      : [differs.parent, differs.leaf, differs.rows ?? fact.rows];
    assert.equal(seen.locks[on], lock, `${kind}: the lock on ${on}`);
    if (kind === "partitioned" && leaf !== undefined)
      assert.equal(seen.locks.leaf, leaf, "the lock on a partition");
    if (fact.referenced !== undefined)
      assert.equal(seen.locks.r, fact.referenced, "the lock on what it refers to");
    if ("rows" in seen) assert.equal(seen.rows, rows, `${kind}: what happens to the rows`);
    else assert.equal(seen.rewritten, rows === "rewritten", `${kind}: whether the rows get new files`);
  });
}

for (const form of Object.keys(statementFacts) as StatementForm[])
  for (const kind of ["plain", "partitioned"] as const)
    if ((examples[form].only ?? kind) === kind)
      test(`${form} on a ${kind} table locks, reads and rewrites what is said`, () => check(form, kind));

/** What is added to a table, and whether that writes every row. */
const columnsToAdd = {
  "b timestamp DEFAULT timezone('utc', now())": false,
  "b text DEFAULT upper('x') || CURRENT_USER": false,
  "b date DEFAULT CURRENT_DATE": false,
  "b text DEFAULT public.steady()": false,
  "b open DEFAULT 'x'": false,
  "b checked": true,
  "b checked[]": false,
  "b above DEFAULT 1": true,
  "b keyed": true,
  "b keyed DEFAULT 'x'": false,
  "b timestamptz DEFAULT clock_timestamp()": true,
  "b float8 DEFAULT pg_catalog.random()": true,
  "b int DEFAULT nextval('public.counter')": true,
  "b text DEFAULT lower(public.moving())": true,
  'b text DEFAULT "Moving too"()': true,
};

const theirTypes = `CREATE SEQUENCE counter; CREATE DOMAIN open AS text; CREATE DOMAIN checked AS int CHECK (value > 0);
  CREATE DOMAIN above AS checked; CREATE DOMAIN keyed AS text DEFAULT gen_random_uuid()::text;
  CREATE FUNCTION steady() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
  CREATE FUNCTION moving() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
  CREATE FUNCTION "Moving too"() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'`;

for (const [column, isRewriting] of Object.entries(columnsToAdd))
  test(`ADD COLUMN ${column} ${isRewriting ? "rewrites" : "leaves"} the rows, and warnings, plan and revision know it`, async () => {
    await withClient(cluster.superuser, async (client) => {
      await makeTables(client, "plain", theirTypes);
      const sql = `ALTER TABLE t ADD COLUMN ${column}`;
      const section = `${sql};`;
      const warnings = await lint(client, [
        { migration: "1_x", section, origin: { label: "x", firstLine: 1 } },
      ]);
      const { statements } = await readEffects(client, [{ section, origin: { label: "x", firstLine: 1 } }]);
      const before = await filesOf(client, await oidsOf(client));
      await client.query(sql);
      assert.equal((await filesOf(client, await oidsOf(client))) !== before, isRewriting, "the server");
      assert.equal(
        warnings.some(({ rule }) => rule === "add-column-rewrite"),
        isRewriting,
        "warnings",
      );
      assert.equal(statements[0]?.[0]?.effects[0]?.rows === "rewritten", isRewriting, "plan");
      const { facts } = await readCatalog(client);
      const id = { kind: "column", schema: "public", table: "t", name: "b" } as const;
      assert.equal(isWrittenToEachRow(id, facts), isRewriting, "revision");
    });
  });

test("a domain that the same migration makes counts, and so does a function that is not there yet", async () => {
  const section = `CREATE DOMAIN positive AS int CHECK (value > 0); ALTER TABLE t ADD b public.positive;
    CREATE DOMAIN any_int AS int; ALTER TABLE t ADD c any_int; ALTER TABLE t ADD d int DEFAULT later();`;
  await withClient(cluster.superuser, async (client) => {
    await makeTables(client, "plain");
    const origin = { label: "x", firstLine: 1 };
    const warnings = await lint(client, [{ migration: "1_x", section, origin }]);
    const rewriting = warnings.filter(({ rule }) => rule === "add-column-rewrite");
    assert.deepEqual(
      rewriting.map(({ message }) => message.match(/\((\w+)\)/)?.[1]),
      ["b", "d"],
    );
    const { statements } = await readEffects(client, [{ section, origin }]);
    assert.deepEqual(
      statements[0]?.flatMap(({ effects }) => effects.map(({ rows }) => rows)),
      ["rewritten", "untouched", "rewritten"],
    );
  });
});

test("the table of volatile functions is the server's", async () => {
  const own = await withClient(cluster.superuser, async (client) => {
    const { rows } = await client.query<{ name: string; volatile: boolean }>(
      `SELECT proname::text AS name, bool_and(provolatile = 'v') AS volatile FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset
          AND prorettype NOT IN (SELECT oid FROM pg_type WHERE typtype = 'p' AND typname NOT LIKE 'any%')
        GROUP BY 1`,
    );
    return rows;
  });
  for (const { name, volatile } of own) assert.equal(volatileFunctions.has(name), volatile, name);
});

test("a client's prepared SELECT * fails after the forms that are said to change its result, and after no other", async () => {
  for (const form of Object.keys(statementFacts) as StatementForm[]) {
    const { sql, setup, on = "t", only } = examples[form];
    const fact = factOf(form);
    if (fact.alone || fact.loses === "rows" || form === "rename-table" || only === "partitioned") continue;
    await withClient(cluster.superuser, async (client) => {
      await makeTables(client, "plain", setup);
      await client.query(`PREPARE all_of AS SELECT * FROM ${on}; EXECUTE all_of`);
      await client.query(sql);
      const failed = await client.query("EXECUTE all_of").then(
        () => undefined,
        (error: { code?: string }) => error.code,
      );
      assert.equal(failed, fact.changesResult ? "0A000" : undefined, form);
    });
  }
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openClient } from "../../runner/postgres/connection.ts";
import { oneRow } from "../../runner/postgres/rows.ts";
import { sql, startCommand } from "../support/databases.ts";
import { callCommand } from "../support/migrations.ts";
import { testCases, writeCase } from "../support/revision.ts";
import { until } from "../support/wait.ts";

const rows = "INSERT INTO t SELECT i, i, i, i FROM generate_series(1, 2000) i";

testCases([
  {
    name: "a table in use gets columns, keys, constraints and indexes while everybody reads and writes it",
    online: true,
    live: `CREATE TABLE r (id int PRIMARY KEY); INSERT INTO r SELECT generate_series(1, 2000);
      CREATE TABLE t (id int, a int, r int, n int, "D d" text); ${rows}; CREATE INDEX t_n ON t (n);
      ALTER TABLE t ADD CONSTRAINT t_key UNIQUE (a); CREATE INDEX changed ON t (n)`,
    models: `CREATE TABLE r (id int PRIMARY KEY);
      CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL CHECK (a > 0), r int REFERENCES r, n int, "D d" text,
        "U u" uuid NOT NULL DEFAULT gen_random_uuid(), s serial);
      ALTER TABLE t ADD CONSTRAINT t_key UNIQUE (a, n) INCLUDE ("D d") DEFERRABLE INITIALLY DEFERRED;
      CREATE INDEX changed ON t (n, a); CREATE UNIQUE INDEX "I i" ON t (lower("D d")) WHERE a > 3`,
    up: [
      /^-- migrate: up transaction=off$/m,
      /^DROP INDEX CONCURRENTLY public\.t_n;$/m,
      /ADD COLUMN "U u" uuid,\n {2}ALTER COLUMN "U u" SET DEFAULT gen_random_uuid\(\);/,
      /^-- repeatable: rows that have a value are passed over\nDO \$fill\$[\s\S]*UPDATE public\.t SET "U u" = DEFAULT/m,
      /CHECK \("U u" IS NOT NULL\) NOT VALID;[\s\S]*VALIDATE CONSTRAINT "pgstack_not_null_of_U u";[\s\S]*ALTER COLUMN "U u" SET NOT NULL;/,
      /ADD CONSTRAINT t_a_check CHECK \(\(a > 0\)\) NOT VALID;[\s\S]*VALIDATE CONSTRAINT t_a_check;/,
      /REFERENCES public\.r\(id\) NOT VALID;[\s\S]*VALIDATE CONSTRAINT t_r_fkey;/,
      /CREATE UNIQUE INDEX CONCURRENTLY t_pkey [\s\S]*ADD CONSTRAINT t_pkey PRIMARY KEY USING INDEX t_pkey;/,
      /CREATE UNIQUE INDEX CONCURRENTLY t_key_new [\s\S]*DROP CONSTRAINT IF EXISTS t_key,\n {2}ADD CONSTRAINT t_key UNIQUE USING INDEX t_key_new DEFERRABLE INITIALLY DEFERRED;/,
      /CREATE INDEX CONCURRENTLY changed_new [\s\S]*DROP INDEX CONCURRENTLY IF EXISTS public\.changed;[\s\S]*RENAME TO changed;/,
      /CREATE UNIQUE INDEX CONCURRENTLY "I i" /,
    ],
    down: [/transaction=off[\s\S]*DROP INDEX CONCURRENTLY public\."I i";/, /CREATE INDEX CONCURRENTLY t_n /],
    without: [/LONG LOCK/],
    afterUp: { 'SELECT count(DISTINCT "U u") FROM t': ["2000"], "SELECT count(DISTINCT s) FROM t": ["2000"] },
  },
  {
    name: "a partitioned table gets each partition's index by itself, and its foreign key from them",
    online: true,
    live: `CREATE TABLE r (id int PRIMARY KEY); INSERT INTO r SELECT generate_series(1, 2000);
      CREATE TABLE t (id int, a int, b int, r int) PARTITION BY RANGE (id);
      CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000);
      CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (1000) TO (3000) PARTITION BY LIST (a);
      CREATE TABLE "T 21" PARTITION OF t2 DEFAULT; ${rows}; CREATE INDEX t_b ON t (b)`,
    models: `CREATE TABLE r (id int PRIMARY KEY);
      CREATE TABLE t (id int, a int, b int CHECK (b > 0), r int REFERENCES r, u float DEFAULT random(), PRIMARY KEY (id, a)) PARTITION BY RANGE (id);
      CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000);
      CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (1000) TO (3000) PARTITION BY LIST (a);
      CREATE TABLE "T 21" PARTITION OF t2 DEFAULT;
      CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (3000) TO (4000); CREATE INDEX t_ab ON t (a, b)`,
    up: [
      /CREATE INDEX t_ab ON ONLY public\.t /,
      /CREATE INDEX CONCURRENTLY "T 21_a_b_idx" ON public\."T 21" [\s\S]*ALTER INDEX public\.t2_a_b_idx ATTACH PARTITION public\."T 21_a_b_idx";[\s\S]*ALTER INDEX public\.t_ab ATTACH PARTITION public\.t2_a_b_idx;/,
      /ALTER TABLE ONLY public\.t\n {2}ADD CONSTRAINT t_pkey PRIMARY KEY \(id, a\);/,
      /ALTER TABLE public\.t1\n {2}ADD CONSTRAINT t1_pkey PRIMARY KEY USING INDEX t1_pkey;/,
      /ALTER TABLE public\."T 21"\n {2}ADD CONSTRAINT t_r_fkey FOREIGN KEY \(r\) REFERENCES public\.r\(id\) NOT VALID;[\s\S]*ALTER TABLE public\.t\n {2}ADD CONSTRAINT t_r_fkey/,
    ],
    down: [/DROP TABLE public\.t3;/],
    without: [/LONG LOCK/],
    afterUp: { "SELECT count(u) FROM t": ["2000"] },
  },
  {
    name: "what is dropped and created again is one transaction, with its comments and privileges; the rest comes after it",
    online: "with long locks",
    live: `CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int); ${rows};
      CREATE VIEW v AS SELECT id, a FROM t; GRANT SELECT ON v TO PUBLIC; COMMENT ON VIEW v IS 'x';
      CREATE TYPE k AS ENUM ('x', 'y', 'z'); CREATE TABLE e (k k DEFAULT 'x')`,
    models: `CREATE TABLE t (id int PRIMARY KEY, a bigint, b int, c int NOT NULL); CREATE INDEX t_i ON t (b, a);
      CREATE VIEW v AS SELECT id, a FROM t; GRANT SELECT ON v TO PUBLIC; COMMENT ON VIEW v IS 'x';
      CREATE TYPE k AS ENUM ('x', 'y'); CREATE TABLE e (k k DEFAULT 'x')`,
    up: [
      /-- migrate: up\n\n[^$]*DROP VIEW public\.v;[^$]*CREATE VIEW public\.v [^$]*COMMENT ON VIEW [^$]*GRANT SELECT ON TABLE public\.v [^$]*-- migrate: up transaction=off[^$]*VALIDATE CONSTRAINT [^$]*CREATE INDEX CONCURRENTLY t_i /,
    ],
    without: [/transaction=off[\s\S]*(?:GRANT|DROP TYPE)/],
    hints: [/PostgreSQL has no way online for this: every row of public\.t is rewritten/],
  },
]);

test("an online migration that is killed in the middle of a batch continues there, and keeps what was filled", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-online-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const waits = `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$;
    CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.id = 1200) EXECUTE FUNCTION f()`;
  const { live } = await writeCase(
    {
      name: "fill", // more pages than one batch has
      online: true,
      live: `CREATE TABLE t (id int PRIMARY KEY, pad text); INSERT INTO t SELECT i, repeat('x', 1900) FROM generate_series(1, 1200) i; ${waits}`,
      models: `CREATE TABLE t (id int PRIMARY KEY, pad text, u uuid NOT NULL DEFAULT gen_random_uuid()); ${waits}`,
    },
    directory,
  );
  const { host, port, user, password, database } = live;
  const url = `postgres://${user}:${password}@${host}:${port}/${database}`;
  const args = ["--url", url, "--directory", directory];

  const blocker = await openClient(live);
  await blocker.query("SELECT pg_advisory_lock(1)");
  const child = startCommand(["upgrade", ...args]);
  const waiting = "SELECT count(*) > 0 AS found FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
  await until(async () => (await oneRow<{ found: boolean }>(blocker, waiting)).found);
  child.kill("SIGKILL");
  const filled = await sql(live, "SELECT min(u::text) AS first, count(u)::int AS filled FROM t");
  assert.ok(Number(filled[0]?.filled) > 0, "the batches before are committed");
  await blocker.end();

  const { code, stderr } = await callCommand("upgrade", args);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /continues at statement 2 of 6/);
  const [after] = await sql(
    live,
    `SELECT count(u)::int AS filled, bool_or(u::text = $$${filled[0]?.first}$$) AS kept FROM t`,
  );
  assert.deepEqual(after, { filled: 1200, kept: true });
  assert.equal((await callCommand("downgrade", ["0", ...args])).code, 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeId, type FactBase } from "@supabase/pg-delta/core";
import { extract } from "@supabase/pg-delta/extract";
import pg from "pg";
import { withClient } from "../../runner/postgres/connection.ts";
import { findPrograms } from "../../runner/postgres/programs.ts";
import { readCatalog, readFacts } from "../../runner/revision/catalog/read.ts";
import { withScratchServer } from "../../runner/scratch/server.ts";
import { richDatabase } from "../support/rich-database.ts";

const further = `CREATE COLLATION app.mine (locale = 'POSIX'); CREATE TYPE app.span AS RANGE (subtype = float8);
  CREATE FOREIGN TABLE app.far (a int) SERVER srv; CREATE TABLE app.child (b int) INHERITS (app.unlog);
  ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO app; CREATE USER MAPPING FOR app SERVER srv OPTIONS (password 'p')`;

/** A materialized view is filled with a search path of its own from PostgreSQL 17 on. */
const rich = richDatabase.replace("count(*) from users", "count(*) from app.users");

const hashes = (facts: FactBase) => facts.facts().map(({ id }) => `${encodeId(id)} ${facts.hashOf(id)}`);
const edges = (facts: FactBase) =>
  facts.edges.map(({ from, to, kind }) => `${encodeId(from)} ${kind} ${encodeId(to)}`);
const missing = (expected: string[], found: string[]) => {
  const all = new Set(found);
  return expected.filter((line) => !all.has(line));
};

test("nothing is lost of what the planner's reader finds: quick reading leaves out what finds nothing alone", async () => {
  const programs = await findPrograms("initdb");
  await withScratchServer({ programs }, async (opening) => {
    const { server } = await opening;
    const settings = await server.database();
    await withClient(settings, async (client) => {
      await client.query("CREATE ROLE own; CREATE ROLE app; CREATE ROLE third");
      for (const sql of ["SELECT 1", rich, further]) {
        await client.query(sql);
        const pool = new pg.Pool({ ...settings, ssl: false, max: 1 });
        const { factBase } = await extract(pool, { redactSecrets: false }).finally(() => pool.end());
        const { facts } = await readCatalog(client);
        assert.deepEqual(missing(hashes(factBase), hashes(facts)), []);
        assert.deepEqual(missing(edges(factBase), edges(facts)), []);
        for (const again of [
          await readFacts(client, programs.major),
          await readFacts(client, programs.major),
        ])
          assert.deepEqual(hashes(again), hashes(facts));
      }
    });
  });
});

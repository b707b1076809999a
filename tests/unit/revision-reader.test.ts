// pgstack takes some things of pg-delta's reader for granted: a reader that is otherwise must be an error, never a wrong answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { extract } from "@supabase/pg-delta/extract";
import {
  checkReader,
  isForDependencies,
  narrowedDependencies,
  nothing,
  poolOf,
  queriesFor,
} from "../../runner/revision/catalog/reader-patches.ts";

/** All that the reader asks of an empty database of a version. */
async function asked(version: number): Promise<string[]> {
  const texts: string[] = [];
  const rows = [{ version: "", num: version, ok: false, present: false }];
  const pool = poolOf(async (text) => {
    texts.push(text);
    return /\sFROM\s/.test(text) ? nothing : { rows };
  });
  await extract(pool);
  return texts;
}

test("the reader that is installed is the one that is expected, on every version of PostgreSQL", async () => {
  for (const version of [140_000, 150_000, 160_000, 170_000, 180_000]) {
    checkReader(await asked(version));
    assert.ok((await queriesFor(version)).length > 20);
  }
});

test("a reader that formats its queries otherwise is refused", async () => {
  const reformatted = (await asked(150_000)).map((text) => text.replaceAll(/\n {4}FROM /g, "\n  FROM "));
  assert.throws(() => checkReader(reformatted), /reader-patches\.ts.*it lists the catalogs/);
});

test("a reader that reads one more catalog is refused", async () => {
  const texts = [...(await asked(150_000)), "SELECT castsource\n    FROM pg_cast c"];
  assert.throws(() => checkReader(texts), /it lists the catalogs .* pg_cast/);
});

test("a query for dependencies in which one narrowing finds nothing, or two places, is refused", async () => {
  const query = (await asked(150_000)).find(isForDependencies) ?? "";
  assert.match(narrowedDependencies(query), /MATERIALIZED/);
  for (const changed of [
    query.replace("WHERE pp.prokind IN", "WHERE pp.prokind = ANY"),
    `${query} WHERE pp.prokind IN`,
  ])
    assert.throws(() => narrowedDependencies(changed), /not exactly one "WHERE pp\.prokind IN"/);
});

test("a reader that uses more of a connection than queries is refused", async () => {
  const pool = poolOf(async () => nothing) as unknown as { connect: () => Promise<{ on: unknown }> };
  const connection = await pool.connect();
  assert.throws(() => connection.on, /it uses on of a connection/);
});

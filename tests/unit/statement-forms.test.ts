import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStatements } from "../../runner/migrations/lint/parse.ts";
import { type FormUse, formsOf } from "../../runner/migrations/lint/statement-forms.ts";
import { scan } from "../../runner/postgres/sql-lexer.ts";
import { examples } from "../support/statement-examples.ts";

async function formsIn(sql: string): Promise<FormUse[]> {
  const statements = await parseStatements(sql, scan(sql).statements);
  return statements.flatMap(({ node }) => formsOf(node));
}

/** Forms that only the catalog tells from another one. */
const settledLater: Readonly<Record<string, string>> = {
  "widen-column-type": "change-column-type",
  "validate-foreign-key": "validate-check",
};

for (const [form, { sql }] of Object.entries(examples))
  test(`the form of ${sql} is read from its parse tree`, async () => {
    const found = (await formsIn(sql)).map((use) => use.form);
    assert.ok(found.includes((settledLater[form] ?? form) as FormUse["form"]), found.join(", "));
  });

const named = async (sql: string) =>
  (await formsIn(sql)).map(({ form, object, of, part }) =>
    [form, of, object, part].filter(Boolean).join(" "),
  );

test("a statement names every table that it concerns", async () => {
  assert.deepEqual(await named('DROP TABLE a, s."B c"'), [
    'drop-table relation "a"',
    'drop-table relation "s"."B c"',
  ]);
  assert.deepEqual(await named("ALTER TABLE a ADD b int REFERENCES d, DROP c"), [
    'add-column relation "a" b',
    'add-foreign-key relation "a"',
    'add-foreign-key relation "d"',
    'drop-column relation "a" c',
  ]);
  assert.deepEqual(await named("DROP INDEX CONCURRENTLY i"), ['drop-index-concurrently index "i"']);
  assert.deepEqual(await named("DROP SCHEMA s CASCADE"), ['drop-table schema "s"']);
  assert.deepEqual(await named("DROP TRIGGER g ON s.t"), ['drop-trigger relation "s"."t"']);
  assert.deepEqual(
    await named("CREATE TABLE a (b int); INSERT INTO a VALUES (1); DELETE FROM a WHERE b"),
    [],
  );
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseSqlFile } from "../../runner/migrations/files/sql-file.ts";
import { suspect, upOf } from "../../runner/migrations/lint/lint.ts";
import { lintRules, preparedStatements } from "../../runner/migrations/lint/rules.ts";
import { projectPath } from "../../runner/util/project.ts";

async function rulesFor(up: string): Promise<string[]> {
  const file = parseSqlFile(`-- migrate: up\n${up}\n-- migrate: down irreversible`, "1_x", "m/1_x.sql");
  return (await suspect(upOf(file))).map(({ rule, object, part }) =>
    [rule, object, part].filter(Boolean).join(" "),
  );
}

const dangerous: Record<string, string> = {
  "DROP TABLE a": 'drop-table "a"',
  'DROP TABLE s."B c"': 'drop-table "s"."B c"',
  "ALTER TABLE a DROP COLUMN b": 'drop-column "a" b',
  "TRUNCATE a": 'truncate "a"',
  "DELETE FROM a": 'delete-all "a"',
  "UPDATE a SET b = 1": 'update-all "a"',
  "CREATE INDEX i ON a (b)": 'create-index "a"',
  "DROP INDEX i": 'drop-index "i"',
  "ALTER TABLE a ALTER b TYPE bigint": 'change-column-type "a" b',
  "ALTER TABLE a ALTER b SET NOT NULL": 'set-not-null "a" b',
  "ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d": 'add-foreign-key "a" c',
  "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)": 'add-check "a" c',
  "ALTER TABLE a ADD CONSTRAINT c UNIQUE (b)": 'add-unique "a" c',
  "ALTER TABLE a ADD CONSTRAINT c PRIMARY KEY (b)": 'add-unique "a" c',
  "ALTER TABLE a ADD CONSTRAINT c EXCLUDE USING gist (b WITH &&)": 'add-exclusion "a" c',
  "ALTER TABLE a ADD b uuid DEFAULT gen_random_uuid()": 'add-column-rewrite "a" b',
  "ALTER TABLE a ADD b bigserial": 'add-column-rewrite "a" b',
  "ALTER TABLE a ADD b int GENERATED ALWAYS AS (c + 1) STORED": 'add-column-rewrite "a" b',
  "ALTER TABLE a ADD b int NOT NULL": 'add-required-column "a" b',
  "ALTER TABLE a RENAME TO b": 'rename "a"',
  "ALTER TABLE a RENAME b TO c": 'rename "a" b',
  "VACUUM FULL a": 'vacuum-full "a"',
  "CLUSTER a": 'cluster "a"',
  "ALTER TABLE a SET UNLOGGED": 'set-logged "a"',
  "REINDEX TABLE a": 'reindex "a"',
  "REFRESH MATERIALIZED VIEW a": 'refresh-view "a"',
};

for (const [sql, expected] of Object.entries(dangerous))
  test(`lint names the danger of ${sql}`, async () => {
    assert.deepEqual(await rulesFor(sql), [expected]);
  });

test("every rule has a statement that it finds", () => {
  const shown = new Set(Object.values(dangerous).map((one) => one.split(" ")[0]));
  assert.deepEqual(
    lintRules.map(({ id }) => id).filter((id) => !shown.has(id)),
    [],
  );
});

const harmless = [
  "CREATE INDEX CONCURRENTLY i ON a (b)",
  "DROP INDEX CONCURRENTLY i",
  "ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d NOT VALID; ALTER TABLE a VALIDATE CONSTRAINT c",
  "ALTER TABLE a ADD CONSTRAINT c UNIQUE USING INDEX i",
  "ALTER TABLE a ADD b timestamptz NOT NULL DEFAULT now()",
  "ALTER TABLE a ADD b int NOT NULL DEFAULT 0",
  "DELETE FROM a WHERE b",
  "CREATE TABLE a (id int); CREATE INDEX i ON a (id); ALTER TABLE a ADD UNIQUE (id); DROP TABLE a",
  "REINDEX INDEX CONCURRENTLY i",
  "REFRESH MATERIALIZED VIEW CONCURRENTLY a",
];

for (const sql of harmless)
  test(`lint says nothing of ${sql}`, async () => {
    assert.deepEqual(await rulesFor(sql), []);
  });

test("a rule is silenced for one statement, and only with a reason", async () => {
  assert.deepEqual(
    await rulesFor(
      "-- lint: allow drop-table because nobody uses it\nDROP TABLE a;\nDROP TABLE b;\n-- lint: allow drop-table\nDROP TABLE c;",
    ),
    ['drop-table "b"', 'drop-table "c"'],
  );
});

test("the page on migrations lists every rule", () => {
  const page = readFileSync(projectPath("docs/migrations.md"), "utf8").replace(/ +/g, " ");
  for (const { id, risk, advice } of [...lintRules, preparedStatements])
    assert.ok(page.includes(`| \`${id}\` | ${risk} | ${advice} |`), id);
  for (const { id, partitioned } of lintRules)
    if (partitioned !== undefined) assert.ok(page.includes(`| \`${id}\` | ${partitioned} |`), id);
});

// What a migration file looks like: one ALTER TABLE for one table, names in one piece.
import assert from "node:assert/strict";
import { test } from "node:test";
import { withAlterationsJoined } from "../../runner/revision/script/join-alterations.ts";
import { renderScript } from "../../runner/revision/script/render.ts";

const joined = (...subcommands: string[]) =>
  withAlterationsJoined(
    subcommands.map((sql) => ({
      sql: sql.startsWith("ALTER") && sql.includes("TABLE") ? sql : `ALTER TABLE "public"."t" ${sql}`,
      comments: [],
    })),
  ).map(({ sql }) => sql.replace(/^ALTER TABLE "public"."t"\s+/, ""));

test("changes of one table are one statement, each column's in the order that PostgreSQL runs them", () => {
  const all = [
    'ALTER COLUMN "a" DROP DEFAULT',
    'ALTER COLUMN "a" TYPE bigint',
    'ALTER COLUMN "a" SET DEFAULT 1',
    'ALTER COLUMN "b" TYPE bigint',
    'ADD COLUMN "c" integer NOT NULL DEFAULT 0',
    'DROP COLUMN "d"',
    'ADD CONSTRAINT "k" CHECK ((a > 0))',
    'ADD CONSTRAINT "u" UNIQUE (c)',
  ];
  assert.deepEqual(joined(...all), [all.join(",\n  ")]);
});

test("what PostgreSQL would run in another order stays apart", () => {
  for (const pair of [
    ['ADD COLUMN "a" integer DEFAULT 0 NOT NULL', 'ALTER COLUMN "a" DROP DEFAULT'],
    ['ALTER COLUMN "a" SET DEFAULT 1', 'ALTER COLUMN "a" TYPE bigint'],
    ['ADD CONSTRAINT "k" CHECK ((a > 0))', 'ALTER COLUMN "a" TYPE bigint'],
    ['DROP COLUMN "a"', 'DROP COLUMN "a"'],
    ['ADD COLUMN "a" integer', 'ALTER TABLE "public"."u" ADD COLUMN "a" integer'],
    ['ADD COLUMN "a" integer', 'ADD CONSTRAINT "f" FOREIGN KEY (a) REFERENCES public.u(a)'],
    ['ADD COLUMN "a" integer', 'VALIDATE CONSTRAINT "k"'],
    ['ADD COLUMN "a" integer', 'RENAME COLUMN "b" TO "c"'],
  ])
    assert.equal(joined(...pair).length, 2, pair.join("; "));
});

test("comments of joined statements are all kept, each once", () => {
  const comments = ["LONG LOCK: public.t may be rewritten"];
  const statements = ['"a" TYPE bigint', '"b" TYPE bigint'].map((sql) => ({
    sql: `ALTER TABLE "public"."t" ALTER COLUMN ${sql}`,
    comments,
  }));
  assert.deepEqual(
    withAlterationsJoined(statements).map((one) => one.comments),
    [comments],
  );
});

test("names stay in one piece in lists of arguments", () => {
  const sql = `CREATE FUNCTION "public"."f"(public.st, x "S"."T" DEFAULT 'a .b') RETURNS public.st LANGUAGE sql AS $$ SELECT 1 .x $$`;
  const { paragraphs } = renderScript([{ sql, comments: [] }], true, new Set());
  assert.match(paragraphs.join(), /public\.st,/);
  assert.match(paragraphs.join(), /"S"\."T"/);
  assert.match(paragraphs.join(), /'a \.b'/);
  assert.match(paragraphs.join(), /SELECT 1 \.x/);
  assert.doesNotMatch(paragraphs.join(), /public \./);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { flagValue } from "../../runner/cli/flag-value.ts";
import { Migrations } from "../../runner/config/migrations.ts";
import { piecesOf, scan } from "../../runner/postgres/sql-lexer.ts";
import { parseDuration } from "../../runner/util/duration.ts";

const pieces: Readonly<Record<string, readonly string[]>> = {
  "SELECT 'it''s', \"a\"\"b\" -- c ; d": [
    "text SELECT ",
    "literal 'it''s'",
    "text , ",
    'name "a""b"',
    "text  ",
    "comment -- c ; d",
  ],
  "E'\\';' || $x$ ' $x$": ["literal E'\\';'", "text  || ", "literal $x$ ' $x$"],
  "/* a /* ; */ ' */ SELECT 1": ["comment /* a /* ; */ ' */", "text  SELECT 1"],
  "SELECT ''''": ["text SELECT ", "literal ''''"],
  "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT ';'; END": [
    "text CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT ",
    "literal ';'",
    "text ; END",
  ],
};

for (const [sql, expected] of Object.entries(pieces))
  test(`the pieces of ${sql} are told apart, and make up the text again`, () => {
    const found = piecesOf(sql);
    assert.deepEqual(
      found.map(({ kind, text }) => `${kind} ${text}`),
      expected,
    );
    assert.equal(found.map(({ text }) => text).join(""), sql);
  });

test("statements end where PostgreSQL ends them", () => {
  const sql = "SELECT 'a''; b'; SELECT \"x\"\";y\"; SELECT $$;$$";
  assert.deepEqual(
    scan(sql).statements.map(({ start, end }) => sql.slice(start, end)),
    ["SELECT 'a''; b'", 'SELECT "x"";y"', "SELECT $$;$$"],
  );
});

test("a duration has one form and one limit wherever it is given", () => {
  assert.equal(parseDuration("2s"), 2000);
  assert.equal(parseDuration("5 min"), 300_000);
  assert.equal(parseDuration("2147483647"), 2_147_483_647);
  for (const wrong of ["2147483648", "25d", "1w", "-1", ""]) {
    assert.equal(parseDuration(wrong), undefined);
    assert.throws(
      () => flagValue(Migrations.entries.lockTimeout, { flags: { "lock-timeout": wrong } }, "lock-timeout"),
      /Expected after --lock-timeout a duration/,
    );
  }
});

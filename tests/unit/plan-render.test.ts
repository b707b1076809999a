import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { escaped, renderMarkdown } from "../../runner/plan/render/markdown.ts";
import { exitCodeOf, formatOf, renderPlan } from "../../runner/plan/render/render.ts";
import { renderText, terminalColours } from "../../runner/plan/render/text.ts";
import { effectText, formatAge, formatRows, lossText, readsText } from "../../runner/plan/render/words.ts";
import { RefusedError } from "../../runner/util/errors.ts";
import { fullPlan, planWith, sizedTable } from "../support/plans.ts";

test("a plan in which nothing happens says so in two screens' first lines", () => {
  assert.equal(
    renderText(planWith()),
    [
      "spellbot on db.internal (PostgreSQL 16.4), stack prod: 20241112131500_api_tokens",
      "",
      "Not touched 22 migrations, 2 roles",
      "Nothing to do.",
    ].join("\n"),
  );
  assert.match(renderMarkdown(planWith()), /^Nothing to do\.$/m);
});

test("the text of a plan names everything, and what up would refuse stands first", () => {
  const lines = renderText(fullPlan).split("\n");
  assert.equal(
    lines[0],
    "spellbot on db.internal (PostgreSQL 16.4), stack prod: 20241112131500_api_tokens → 20261201000012_game_notes",
  );
  assert.equal(lines[2], 'Refused     pgstack:roles: "postgres" has no CREATEROLE');
  for (const line of [
    "Data loss   loses column users.email: 118 values, by 20261201000012_game_notes",
    "            loses table old: 1 row, by 20241101000000_old",
    "Roles       + metabase      readonly, statementTimeout 60 s; reads 2 of 3 tables, not tokens, not users.name",
    "            ~ spellbot_app  connectionLimit 40 → 60, gains SELECT on table tokens; reads all 3 tables",
    "            - intern        dropped; what it owns goes to the database's owner",
    "Drift       ! spellbot_readonly_user  INSERT on table games, which nobody declared → revoked",
    "Cutover     rehearses beside the live source: organization/pgstack/old, method copy",
    "            rehearsed 24 h ago, a switch would refuse writes for about 14.5 s",
    "            rows and indexes: 12.5 s, 9.1 M rows, 1.20 GB",
    "            in the way of a switch: a switch would take longer than maxFreeze allows",
    "Dumps       before the migrations: dumps/prod-20261201.dump (last one 3 h old, 5.00 MB)",
    "Migrations  + 20261201000012_game_notes  2 statements, goes back",
    "                    an index of games (1.20 GB, about 9.1 M rows) is built while nobody can write to it",
    "                    ACCESS EXCLUSIVE on users (8.19 kB, about 120 rows in 4 partitions): nobody can read or write it for a moment",
    "                ALTER TABLE users DROP COLUMN email;",
    "            - 20241101000000_old  1 statement, goes back",
    "              20270101000000_later  held back by migrations.to",
    "Rights      1 statement; --format json and markdown have the SQL",
    "Notes       One table has no primary key.",
  ])
    assert.ok(lines.includes(line), `${line}\n--- is not in ---\n${lines.join("\n")}`);
});

test("colours change nothing of the words", () => {
  const coloured = renderText(fullPlan, terminalColours);
  assert.notEqual(coloured, renderText(fullPlan));
  assert.equal(stripVTControlCharacters(coloured), renderText(fullPlan));
});

test("the Markdown of a plan holds the SQL as it stands in the file, and every refusal and loss", () => {
  const text = renderMarkdown(fullPlan);
  assert.ok(
    text.includes(
      "```sql\n-- migrate: up\nCREATE INDEX ON games (created_at);\nALTER TABLE users DROP COLUMN email;\n```",
    ),
  );
  assert.ok(text.indexOf("`up` refuses") < text.indexOf("### Roles"), "refusals stand first");
  assert.match(text, /loses column users\.email: 118 values/);
  assert.match(text, /GRANT USAGE ON SCHEMA "public" TO "metabase";/);
});

test("nothing from a database or a file is markup, ends a code block or mentions a person", () => {
  assert.equal(escaped("<b>|*@team*_x_"), "&lt;b&gt;\\|\\*@\u200bteam\\*\\_x\\_");
  const [apply] = fullPlan.migrations.apply;
  assert.ok(apply);
  const odd = { ...apply, name: "1_a`b", sql: "SELECT '```';\n</details>" };
  const text = renderMarkdown({ ...fullPlan, migrations: { ...fullPlan.migrations, apply: [odd] } });
  assert.ok(text.includes("````sql\nSELECT '```';\n</details>\n````"));
  assert.ok(text.includes("``1_a`b``"));
});

test("JSON is the plan itself", () => {
  assert.deepEqual(JSON.parse(renderPlan(fullPlan, "json", false)), fullPlan);
});

test("the exit code says whether up would refuse, change something or do nothing", () => {
  assert.equal(exitCodeOf({ refusals: ["no"], changes: true }), 2);
  assert.equal(exitCodeOf({ refusals: [], changes: true }), 3);
  assert.equal(exitCodeOf({ refusals: [], changes: false }), 0);
  assert.throws(() => formatOf("yaml"), RefusedError);
});

test("a database that cannot be read is said to be so, with the reason", () => {
  const server = { ...planWith().server, state: "unreachable", reason: "connection refused" } as const;
  assert.match(
    renderText(planWith({ server })),
    /^Server {6}The database could not be read.* connection refused$/m,
  );
  const unmade = { ...server, host: null, version: null, state: "unmade", reason: null } as const;
  const text = renderText(planWith({ server: unmade, head: { from: null, to: "1_a" } }));
  assert.match(text, /^spellbot, stack prod: nothing applied → 1_a$/m);
  assert.match(text, /is not made yet/);
});

test("sizes, ages and counts read as people say them", () => {
  assert.deepEqual([0, 9999, 10_000, 9_100_000, 999_600_000].map(formatRows), [
    "0",
    "9999",
    "10 k",
    "9.1 M",
    "1 G",
  ]);
  assert.equal(formatAge("2026-12-01T09:00:00Z", "2026-12-01T12:00:00Z"), "3 h");
  assert.equal(
    lossText({ what: "table public.a b", rows: null, counted: false }),
    "loses table a b: rows not counted",
  );
  assert.equal(readsText({ total: 1, whole: ["public.a"], partly: [], not: [] }), "reads all 1 table");
  const weak = {
    form: "comment",
    table: sizedTable(),
    lock: "SHARE UPDATE EXCLUSIVE",
    rows: "untouched",
    blocks: null,
    part: null,
  } as const;
  assert.equal(
    effectText(weak),
    "SHARE UPDATE EXCLUSIVE on games (1.20 GB, about 9.1 M rows): readers and writers continue",
  );
});

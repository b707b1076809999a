import assert from "node:assert/strict";
import { test } from "node:test";
import type { Plan, PlannedMigration, SchemaTable } from "../../runner/plan/model.ts";
import { withPending } from "../../runner/plan/picture/pending.ts";
import { layOut } from "../../runner/plan/render/html/layout.ts";
import { renderDriftPage, renderPage } from "../../runner/plan/render/html/page.ts";
import { changedPart } from "../../runner/plan/render/html/schema.ts";
import { sqlBlock } from "../../runner/plan/render/html/sql.ts";
import { fullPlan, matrixOf, planWith, schemaOf } from "../support/plans.ts";

const without = (text: string) => text.replace(/<style>.*?<\/style>|<script>.*?<\/script>/gs, "");

/** The page as a person reads it. */
const read = (page: string) =>
  without(page)
    .replace(/<[^>]+>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

const applied = (name: string, more: object = {}) => ({
  ...{ name, appliedAt: "2026-11-30T12:00:00.000Z", appliedBy: "shop_owner (ada@desk)", milliseconds: 1500 },
  ...{ baseline: false, reverted: false, ...more },
});

test("the page names everything that the plan has, and what up would refuse stands first", () => {
  const text = read(
    renderPage({
      ...fullPlan,
      schema: schemaOf(4),
      matrix: matrixOf(["public.table_0"], ["metabase"]),
      history: [applied("1_users"), applied("2_notes", { reverted: true })],
    }),
  );
  for (const expected of [
    "20241112131500_api_tokens → 20261201000012_game_notes",
    'pgstack:roles: "postgres" has no CREATEROLE',
    "loses column users.email: 118 values, by 20261201000012_game_notes",
    "readonly, statementTimeout 60 s; reads 2 of 3 tables, not tokens, not users.name",
    "Dropped intern",
    "INSERT on table games, which nobody declared → revoked",
    "Long lock an index of games (1.20 GB, about 9.1 M rows) is built while nobody can write to it",
    "Short lock ACCESS EXCLUSIVE on users",
    "CREATE INDEX ON games (created_at);",
    "DROP TABLE old;",
    "20270101000000_later by migrations.to",
    "Blocks in the way of a switch: a switch would take longer than maxFreeze allows",
    "dumps/prod-20261201.dump (last one 3 h old, 5.00 MB)",
    "One table has no primary key.",
    'GRANT USAGE ON SCHEMA "public" TO "metabase";',
    "table_3",
    "+T −D",
    "2_notes Revert 2026-11-30 12:00 UTCshop_owner (ada@desk)1.5 s",
    "Not touched: 22 migrations, 2 roles.",
  ])
    assert.ok(
      text.replace(/\s+/g, " ").includes(expected.replace(/\s+/g, " ")),
      `${expected}\n--- is not in ---\n${text}`,
    );
  assert.ok(text.indexOf("has no CREATEROLE") < text.indexOf("statementTimeout"));
});

const attack = `</style></script><script>alert(1)</script><img src=x onerror="alert('2')">&\u0000`;

test("what comes from a database or a file is text, wherever it stands", () => {
  const [migration] = fullPlan.migrations.apply as [PlannedMigration];
  const [table] = schemaOf(1).tables as [SchemaTable];
  const hostile: Plan = {
    ...fullPlan,
    stack: attack,
    refusals: [attack],
    notes: [attack],
    roles: fullPlan.roles.map((role) => ({ ...role, name: attack, gains: [attack] })),
    rightsStatements: [attack],
    drift: [{ kind: "right", subject: attack, found: attack, becomes: attack }],
    migrations: {
      ...fullPlan.migrations,
      ...{ adopt: [attack], heldBack: [attack] },
      apply: [
        { ...migration, name: attack, file: attack, sql: `'${attack}' -- ${attack}`, warnings: [attack] },
      ],
    },
    schema: {
      tables: [
        {
          ...{ schema: attack, name: attack, change: "change", becomes: attack, because: [attack] },
          columns: table.columns.map((one) => ({ ...one, name: attack, type: attack, becomes: attack })),
        },
      ],
      references: [
        {
          ...{ name: attack, from: `${attack}.${attack}`, to: `${attack}.${attack}` },
          ...{ columns: [attack], referenced: [attack], change: "add" },
        },
      ],
    },
    matrix: matrixOf([attack], [attack]),
    history: [applied(attack, { appliedBy: attack })],
  };
  const page = renderPage(hostile);
  assert.equal(page.match(/<script/g)?.length, 1);
  assert.equal(page.match(/<\/script/g)?.length, 1);
  assert.doesNotMatch(without(page), /<img|<\/style|onerror="/);
  assert.ok(!page.includes("\u0000"));
  assert.ok(read(page).includes("<img src=x onerror="));
});

test("a page loads nothing, and its policy lets nothing else run", () => {
  const page = renderPage({ ...fullPlan, schema: schemaOf(4) });
  assert.match(
    page,
    /http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; script-src &#39;sha256-/,
  );
  assert.doesNotMatch(without(page), /\s(?:src|href)="(?!#)|url\(|@import|\sstyle="|\son[a-z]+="/);
});

test("highlighting changes nothing of the SQL", () => {
  const sql = `SELECT 'a''b', $x$ $$ 'quoted' $x$, "Na""me", 1.5 /* a < b */ FROM t -- don't`;
  const { text } = sqlBlock(sql);
  assert.equal(read(text), sql);
  assert.match(text, /<span class="k">SELECT<\/span>/);
  assert.match(text, /<span class="c">-- don&#39;t<\/span>/);
  assert.match(text, /<span class="s">\$x\$ \$\$ &#39;quoted&#39; \$x\$<\/span>/);
});

test("a quiet plan says so, and so does a drift report that found nothing", () => {
  assert.match(read(renderPage(planWith())), /Nothing to do/);
  const { version, stack, madeAt, server } = planWith();
  assert.match(
    read(renderDriftPage({ version, stack, madeAt, server, drift: [] })),
    /Everything is as it was declared/,
  );
});

test("a schema of 1,000 tables opens at what changes, holds the rest ready, and stays below 3 MB", () => {
  const schema = schemaOf(1000, 12);
  const names = schema.tables.map(({ name }) => `public.${name}`);
  const roles = Array.from({ length: 12 }, (_, at) => `role_${at}`);
  const page = renderPage({ ...fullPlan, schema, matrix: matrixOf(names, roles) });
  assert.ok(Buffer.byteLength(page) < 3_000_000, `${Buffer.byteLength(page)} bytes`);
  const drawn = (text: string) => text.match(/data-table="/g)?.length;
  const [before = "", whole = ""] = page.split('<template id="schema-whole">');
  assert.equal(drawn(before), 2);
  assert.equal(drawn(whole), 1000);
  assert.match(before, /data-table="public.table_999"/);
  assert.match(before, /data-table="public.table_333"/);
});

test("the changed part of a schema is what changes and what a reference ties to it", () => {
  const { tables, references } = changedPart(schemaOf(10));
  assert.deepEqual(
    tables.map(({ name }) => name),
    ["table_3", "table_9"],
  );
  assert.equal(references.length, 1);
});

test("no two tables of a picture lie upon each other", () => {
  const boxes = Array.from({ length: 120 }, (_, at) => ({
    ...{ id: `${at}`, width: 100 + (at % 7) * 20, height: 60 + (at % 5) * 40 },
    to: at % 4 === 0 ? [] : [`${Math.floor(at / 2)}`, `${at}`],
  }));
  const { places, width, height } = layOut(boxes);
  const rectangles = boxes.map((box) => ({ ...box, ...(places.get(box.id) as { x: number; y: number }) }));
  for (const a of rectangles) {
    assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= width + 1 && a.y + a.height <= height + 1, a.id);
    for (const b of rectangles.filter(({ id }) => id > a.id))
      assert.ok(
        a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y,
        `${a.id} and ${b.id}`,
      );
  }
});

/** A migration whose statements touch nothing that exists, as far as the catalog's facts go. */
const migrationOf = (...statements: readonly string[]): PlannedMigration => ({
  ...{
    name: "m",
    file: "m.sql",
    language: "sql",
    reversible: false,
    transaction: true,
    sql: "",
    warnings: [],
  },
  statements: statements.map((sql, at) => ({ where: `m.sql:${at + 1}`, sql, effects: [], losses: [] })),
});

async function pending(...statements: readonly string[]) {
  const existing = schemaOf(3, 3);
  const settled = {
    tables: existing.tables.map((one) => ({ ...one, change: "none" as const })),
    references: existing.references.map((one) => ({ ...one, change: "none" as const })),
  };
  const schema = await withPending(settled, { apply: [migrationOf(...statements)], revert: [] });
  const table = (name: string) => schema.tables.find((one) => one.name === name);
  return { ...schema, table };
}

test("a new table is drawn with its columns, key and references", async () => {
  const { table, references } = await pending(
    `CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL, at timestamptz,
       table_id int REFERENCES table_1, other int, FOREIGN KEY (other) REFERENCES table_2 (id))`,
    "ALTER TABLE notes ADD COLUMN title varchar(20), DROP COLUMN at",
  );
  assert.deepEqual(
    table("notes")?.columns.map(({ name, type, notNull, key }) => ({ name, type, notNull, key })),
    [
      { name: "id", type: "bigint", notNull: true, key: true },
      { name: "body", type: "text", notNull: true, key: false },
      { name: "table_id", type: "integer", notNull: false, key: false },
      { name: "other", type: "integer", notNull: false, key: false },
      { name: "title", type: "character varying(20)", notNull: false, key: false },
    ],
  );
  const added = references.filter(({ change }) => change === "add");
  assert.deepEqual(
    added.map(({ from, columns, to, referenced }) => ({ from, columns, to, referenced })),
    [
      { from: "public.notes", columns: ["table_id"], to: "public.table_1", referenced: ["id"] },
      { from: "public.notes", columns: ["other"], to: "public.table_2", referenced: ["id"] },
    ],
  );
});

test("what is changed and dropped is marked, with the statement that does it", async () => {
  const { table, references } = await pending(
    "ALTER TABLE table_0 ADD COLUMN extra int, DROP COLUMN column_0, ALTER COLUMN other_id TYPE bigint",
    "ALTER TABLE table_1 RENAME TO first",
    "ALTER TABLE first RENAME COLUMN column_0 TO label",
    "DROP TABLE table_2",
    "CREATE TABLE short_lived (id int); DROP TABLE short_lived",
    "CREATE INDEX ON first (label)",
  );
  assert.deepEqual(
    table("table_0")?.columns.map(({ name, change, becomes }) => [name, change, becomes]),
    [
      ["id", "none", null],
      ["other_id", "change", "bigint"],
      ["column_0", "drop", null],
      ["extra", "add", null],
    ],
  );
  assert.deepEqual([table("table_1")?.change, table("table_1")?.becomes], ["change", "public.first"]);
  assert.equal(table("table_1")?.columns.at(-1)?.becomes, "label");
  assert.deepEqual(table("table_1")?.because, ["m.sql:2", "m.sql:3", "m.sql:6"]);
  assert.equal(table("table_2")?.change, "drop");
  assert.equal(table("short_lived"), undefined);
  assert.deepEqual(
    references.map(({ from, change }) => [from, change]),
    [
      ["public.table_1", "none"],
      ["public.table_2", "drop"],
    ],
  );
});

test("what undoes itself is not drawn, and work on rows changes no table", async () => {
  const { table, tables } = await pending(
    "CREATE TABLE a (id int)",
    "ALTER TABLE a RENAME TO b",
    "ALTER TABLE b ADD CONSTRAINT b_fk FOREIGN KEY (id) REFERENCES table_0",
    "DELETE FROM table_0",
    "this is no SQL",
  );
  assert.deepEqual([table("a"), table("b")?.change], [undefined, "add"]);
  assert.equal(table("table_0")?.change, "none");
  assert.equal(tables.length, 4);
});

test("a schema that goes takes its tables along, and a down migration is drawn after the others", async () => {
  const { tables } = schemaOf(2, 3);
  const schema = {
    tables: tables.map((one, at) => ({
      ...one,
      schema: at === 0 ? "old" : "public",
      change: "none" as const,
    })),
    references: [],
  };
  const apply = [migrationOf("ALTER TABLE table_1 SET SCHEMA archive", "DROP SCHEMA old CASCADE")];
  const revert = [migrationOf("ALTER TABLE archive.table_1 DROP COLUMN other_id")];
  const found = await withPending(schema, { apply, revert });
  assert.deepEqual(
    found.tables.map(({ change, becomes }) => [change, becomes]),
    [
      ["drop", null],
      ["change", "archive.table_1"],
    ],
  );
  assert.equal(found.tables[1]?.columns.find(({ name }) => name === "other_id")?.change, "drop");
});

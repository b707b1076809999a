// The page that `plan --format html` writes, opened in a browser: it is compared with the catalog of a database.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "puppeteer-core";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { parseSqlFile } from "../../runner/migrations/files/sql-file.ts";
import { readMigrationsOutlook } from "../../runner/plan/migrations.ts";
import type { Plan, PlannedSchema } from "../../runner/plan/model.ts";
import { withPending } from "../../runner/plan/picture/pending.ts";
import { readTables } from "../../runner/plan/picture/tables.ts";
import { renderPage } from "../../runner/plan/render/html/page.ts";
import { withClient } from "../../runner/postgres/connection.ts";
import { rowsOf } from "../../runner/postgres/rows.ts";
import { barriersOf, complaintsOf, startBrowser, withoutBrowser } from "../support/browser.ts";
import { sql } from "../support/databases.ts";
import { fullPlan, matrixOf, schemaOf } from "../support/plans.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
let browser: Browser;
let folder: string;

const hostile = `<img src=x onerror="document.title='broken'">`;

before(async () => {
  if (withoutBrowser !== false) return;
  folder = mkdtempSync(join(tmpdir(), "pgstack-page-"));
  cluster = await startThrowawayCluster();
  browser = await startBrowser();
  await sql(
    cluster.superuser,
    "CREATE SCHEMA shop",
    "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email varchar(80), parent bigint REFERENCES users)",
    "CREATE TABLE shop.orders (id int, line int, user_id bigint NOT NULL REFERENCES users, at timestamptz, PRIMARY KEY (id, line))",
    "CREATE TABLE shop.parcels (id int PRIMARY KEY, order_id int, line int, FOREIGN KEY (order_id, line) REFERENCES shop.orders)",
    "CREATE TABLE log (at date) PARTITION BY RANGE (at)",
    "CREATE TABLE log_2026 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    `CREATE TABLE "${hostile.replaceAll('"', '""')}" ("a b" int, "Ünï" text[])`,
    "CREATE TABLE empty ()",
  );
});
after(async () => {
  await browser?.close();
  await cluster?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

const options = { skip: withoutBrowser };

/** Lends a plan's page as the browser shows it. It may complain of nothing. */
async function withPage(plan: Plan, use: (page: Page) => Promise<void>): Promise<void> {
  const file = join(folder, "plan.html");
  writeFileSync(file, renderPage(plan));
  const page = await browser.newPage();
  const complaints = complaintsOf(page);
  try {
    await page.goto(`file://${file}`);
    await use(page);
    assert.deepEqual(complaints, []);
  } finally {
    await page.close();
  }
}

/** What the picture shows: tables with their lines, and references. */
const shown = (page: Page) =>
  page.evaluate(`({
    tables: [...document.querySelectorAll("#schema-picture [data-table]")].map((table) => ({
      name: table.getAttribute("data-table"),
      word: table.querySelector(".word").textContent,
      columns: [...table.querySelectorAll("text:not(.title, .word, .type)")].map((one) =>
        one.textContent + ": " + one.nextElementSibling.textContent),
    })).sort((a, b) => a.name < b.name ? -1 : 1),
    references: [...document.querySelectorAll("#schema-picture .reference title")].map((one) => one.textContent).sort(),
  })`) as Promise<{
    tables: { name: string; word: string; columns: string[] }[];
    references: string[];
  }>;

async function drawn(...pending: readonly string[]): Promise<Plan> {
  const script = `-- migrate: up\n${pending.join(";\n")}\n-- migrate: down irreversible\n`;
  const files = pending.length === 0 ? [] : [parseSqlFile(script, "1_x", "m/1_x.sql")];
  const { migrations } = await readMigrationsOutlook({ owner: cluster.superuser }, files, defaultSettings);
  const schema = await withPending(await withClient(cluster.superuser, readTables), migrations);
  return { ...fullPlan, migrations, schema, matrix: matrixOf(["public.users"], ["app"]) };
}

/** The same facts by PostgreSQL's information schema. */
async function catalog() {
  return withClient(cluster.superuser, async (client) => {
    const tables = await rowsOf<{ name: string; columns: string[] }>(
      client,
      `SELECT t.table_schema || '.' || t.table_name AS name,
         array_remove(array_agg(c.column_name::text ORDER BY c.ordinal_position), NULL) AS columns
       FROM information_schema.tables t LEFT JOIN information_schema.columns c USING (table_schema, table_name)
       WHERE t.table_schema IN ('public', 'shop') AND t.table_name <> 'log_2026' GROUP BY 1`,
    );
    const keys = await rowsOf<{ key: string }>(
      client,
      `SELECT table_schema || '.' || table_name || '.' || column_name AS key FROM information_schema.key_column_usage
         JOIN information_schema.table_constraints USING (constraint_name, table_schema, table_name)
       WHERE constraint_type = 'PRIMARY KEY' AND table_schema IN ('public', 'shop')`,
    );
    return {
      tables: tables.sort((a, b) => (a.name < b.name ? -1 : 1)),
      keys: keys.map(({ key }) => key).sort(),
    };
  });
}

test("the picture shows the tables, columns, keys and references of the catalog", options, async () => {
  const plan = await drawn();
  const found = await catalog();
  await withPage(plan, async (page) => {
    const { tables, references } = await shown(page);
    const names = tables.map(({ name, columns }) => ({
      name,
      columns: columns.map((line) => line.replace(/( PK)?( FK)?: .*$/, "")),
    }));
    assert.deepEqual(names, found.tables);
    const keys = tables.flatMap(({ name, columns }) =>
      columns.flatMap((line) => (/ PK/.test(line) ? [`${name}.${line.split(" PK")[0]}`] : [])),
    );
    assert.deepEqual(keys.sort(), found.keys);
    assert.deepEqual(tables.find(({ name }) => name === "shop.orders")?.columns, [
      "id PK: integer",
      "line PK: integer",
      "user_id FK: bigint",
      "at: timestamp with time zone ?",
    ]);
    assert.deepEqual(references, [
      "shop.orders (user_id) → users (id)",
      "shop.parcels (order_id, line) → shop.orders (id, line)",
      "users (parent) → users (id)",
    ]);
    assert.notEqual(await page.title(), "broken");
    assert.equal(await page.$("img"), null);
  });
});

/** What is left of a schema once its changes are made, a line for each table. */
const linesOf = ({ tables }: PlannedSchema) =>
  tables
    .filter(({ change }) => change !== "drop")
    .map(({ schema, name, columns }) => {
      const kept = columns.filter(({ change }) => change !== "drop");
      const lines = kept.map((one) => `${one.name} ${one.becomes ?? one.type} ${one.notNull} ${one.key}`);
      return `${schema}.${name}: ${lines.join(", ")}`;
    })
    .sort();

test(
  "the picture marks what a pending migration does, and is then what the catalog becomes",
  options,
  async () => {
    const pending = [
      "CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, body text)",
      "ALTER TABLE users DROP COLUMN email, ADD COLUMN born date NOT NULL DEFAULT now(), ALTER COLUMN name TYPE varchar(40)",
      "DROP TABLE shop.parcels",
      "CREATE INDEX ON log (at)",
      `CREATE TABLE kinds (a serial, b numeric(10,2), c timestamptz(3), d char(3), e text[], f interval, g uuid, h jsonb, i float8,
       j bit varying(5), k boolean, l smallint[], m time, n bigserial PRIMARY KEY, o varchar, p real, q "char", r timestamp(0)[])`,
    ];
    const plan = await drawn(...pending);
    await withPage(plan, async (page) => {
      const { tables, references } = await shown(page);
      const of = (name: string) => tables.find((table) => table.name === name);
      assert.deepEqual(
        tables.filter(({ word }) => word !== "").map(({ name, word }) => `${name} ${word}`),
        [
          "public.kinds new",
          "public.log changed",
          "public.notes new",
          "public.users changed",
          "shop.parcels dropped",
        ],
      );
      assert.deepEqual(of("public.users")?.columns, [
        "id PK: bigint",
        "~ name: text → character varying(40)",
        "− email: character varying(80) ?",
        "parent FK: bigint ?",
        "+ born: date",
      ]);
      assert.deepEqual(of("public.notes")?.columns, [
        "+ id PK: bigint",
        "+ user_id FK: bigint",
        "+ body: text ?",
      ]);
      assert.ok(references.includes("notes (user_id) → users (id), new"));
      assert.ok(references.includes("shop.parcels (order_id, line) → shop.orders (id, line), dropped"));
    });
    await sql(cluster.superuser, ...pending);
    const now = await withClient(cluster.superuser, readTables);
    assert.deepEqual(linesOf(plan.schema as PlannedSchema), linesOf(now));
  },
);

test("nobody meets a barrier, in the light, in the dark and on a phone", options, async () => {
  const history = [
    {
      ...{ name: "1_users", appliedAt: "2026-11-30T12:00:00.000Z", appliedBy: "shop_owner (ada@desk)" },
      ...{ milliseconds: 1500, baseline: false, reverted: true },
    },
  ];
  const whole = { ...fullPlan, ...(await drawn()), migrations: fullPlan.migrations, history };
  await withPage(whole, async (page) => {
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
      assert.deepEqual(await barriersOf(page), [], scheme);
    }
    await page.setViewport({ width: 360, height: 740 });
    assert.ok(Number(await page.evaluate("document.documentElement.scrollWidth")) <= 360);
  });
});

test("a large schema opens at what changes, and the keyboard reaches the rest", options, async () => {
  await withPage({ ...fullPlan, schema: schemaOf(150, 4) }, async (page) => {
    const count = () => page.evaluate(`document.querySelectorAll("#schema-picture [data-table]").length`);
    assert.equal(await count(), 2);
    await page.focus("#schema-search");
    await page.keyboard.type("table_77");
    await page.keyboard.press("Enter");
    assert.equal(await count(), 150);
    assert.equal(
      await page.$eval("#schema-picture .table.found", (one) => one.getAttribute("data-table")),
      "public.table_77",
    );
    assert.equal(await page.$eval("#schema-status", (one) => one.textContent), "Found table_77.");
    await page.focus("#schema-all");
    await page.keyboard.press("Space");
    assert.equal(await count(), 2);
    const width = () => page.$eval("#schema-picture svg", (one) => Number(one.getAttribute("width")));
    const before = await width();
    await page.focus("[data-zoom='1.25']");
    await page.keyboard.press("Enter");
    assert.ok((await width()) > before);
  });
});

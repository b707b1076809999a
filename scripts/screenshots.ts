// Makes the pictures of docs/: `node scripts/screenshots.ts`, where Chromium is on the PATH.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PlannedMigration, PlannedSchema, RightsMatrix } from "../runner/plan/model.ts";
import { withPending } from "../runner/plan/picture/pending.ts";
import { renderPage } from "../runner/plan/render/html/page.ts";
import { projectRoot } from "../runner/util/project.ts";
import { startBrowser, withoutBrowser } from "../tests/support/browser.ts";
import { fullPlan } from "../tests/support/plans.ts";

const nothing: PlannedSchema = { tables: [], references: [] };

const migration = (...statements: readonly string[]): PlannedMigration => ({
  ...{ name: "20261201000012_game_notes", file: "migrations/20261201000012_game_notes.sql", language: "sql" },
  ...{ reversible: true, transaction: true, sql: `${statements.join(";\n")};`, warnings: [] },
  statements: statements.map((sql, at) => ({
    ...{ where: `migrations/20261201000012_game_notes.sql:${at + 1}`, sql, losses: [] },
    effects: [],
  })),
});

const existing = [
  "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email text, created_at timestamptz NOT NULL)",
  "CREATE TABLE games (id bigint PRIMARY KEY, guild_id bigint NOT NULL, created_at timestamptz NOT NULL)",
  "CREATE TABLE plays (game_id bigint REFERENCES games, user_id bigint REFERENCES users, points int, PRIMARY KEY (game_id, user_id))",
  "CREATE TABLE tokens (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, hash bytea NOT NULL)",
];
const pending = migration(
  "CREATE TABLE game_notes (id bigint PRIMARY KEY, game_id bigint NOT NULL REFERENCES games, author_id bigint REFERENCES users, body text NOT NULL)",
  "ALTER TABLE users DROP COLUMN email",
);

/** A schema as if all that it holds had been there before. */
const settled = ({ tables, references }: PlannedSchema): PlannedSchema => ({
  tables: tables.map((table) => ({
    ...{ ...table, change: "none", because: [] },
    columns: table.columns.map((column) => ({ ...column, change: "none" })),
  })),
  references: references.map((one) => ({ ...one, change: "none" })),
});

const writes = ["SELECT", "INSERT", "UPDATE", "DELETE"];
const cell = (role: string, table: string, held: readonly string[], gains: readonly string[] = []) => ({
  ...{ role, table: `public.${table}`, held, columns: [], gains, loses: [] },
});

const matrix: RightsMatrix = {
  roles: [
    { name: "spellbot_app", access: "readwrite", superuser: false, validUntil: null },
    { name: "metabase", access: "readonly", superuser: false, validUntil: "2026-12-15T00:00:00Z" },
  ],
  rights: [...writes, "TRUNCATE"],
  tables: ["users", "games", "plays", "tokens", "game_notes"].map((name) => `public.${name}`),
  cells: [
    ...["users", "games", "plays", "tokens"].map((table) => cell("spellbot_app", table, writes)),
    cell("spellbot_app", "game_notes", [], writes),
    ...["users", "games", "plays", "game_notes"].map((table) => cell("metabase", table, [], ["SELECT"])),
  ],
};

const roles = fullPlan.roles
  .filter(({ name }) => name === "metabase")
  .map((role) => ({
    ...role,
    reads: {
      ...{ total: 5, partly: [], not: ["public.tokens"] },
      whole: matrix.tables.filter((table) => table !== "public.tokens"),
    },
  }));

if (withoutBrowser !== false) throw new Error(withoutBrowser);
const before = await withPending(nothing, { apply: [migration(...existing)], revert: [] });
const schema = await withPending(settled(before), { apply: [pending], revert: [] });
const [known] = fullPlan.migrations.apply;
const page = renderPage({
  ...fullPlan,
  ...{ refusals: [], drift: [], cutover: null, rightsStatements: [], notes: [], roles, schema, matrix },
  migrations: {
    ...fullPlan.migrations,
    ...{ revert: [], heldBack: [] },
    apply: [{ ...(known as PlannedMigration), sql: pending.sql }],
  },
});

const folder = mkdtempSync(join(tmpdir(), "pgstack-screenshots-"));
const browser = await startBrowser();
try {
  const file = join(folder, "plan.html");
  writeFileSync(file, page);
  const shown = await browser.newPage();
  await shown.setViewport({ width: 1100, height: 800 });
  for (const scheme of ["light", "dark"]) {
    await shown.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await shown.goto(`file://${file}`);
    await shown.screenshot({ path: join(projectRoot, `docs/plan-page-${scheme}.png`), fullPage: true });
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}

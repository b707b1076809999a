import {
  type Plan,
  type PlannedSchema,
  planVersion,
  type RightsMatrix,
  type SchemaChange,
  type SizedTable,
} from "../../runner/plan/model.ts";

/** A table as a plan shows it. */
export const sizedTable = (more: Partial<SizedTable> = {}): SizedTable => ({
  ...{ name: "public.games", bytes: 1_200_000_000, rows: 9_100_000, counted: false, partitions: 0 },
  ...more,
});

/** A plan in which nothing happens, with what a test changes about it. */
export function planWith(more: Partial<Plan> = {}): Plan {
  return {
    version: planVersion,
    stack: "prod",
    madeAt: "2026-12-01T12:00:00.000Z",
    server: {
      ...{ database: "spellbot", host: "db.internal", port: 5432, version: "16.4 (Debian)", state: "read" },
      reason: null,
    },
    head: { from: "20241112131500_api_tokens", to: "20241112131500_api_tokens" },
    changes: false,
    ...{ refusals: [], notes: [], roles: [], rightsStatements: [], drift: [], resources: [] },
    migrations: { apply: [], revert: [], adopt: [], heldBack: [], applied: 22 },
    ...{ dump: null, restore: null, cutover: null },
    untouched: { migrations: 22, roles: 2 },
    ...more,
  };
}

/** A plan in which everything happens that a plan can show. */
export const fullPlan: Plan = planWith({
  head: { from: "20241112131500_api_tokens", to: "20261201000012_game_notes" },
  changes: true,
  refusals: ['pgstack:roles: "postgres" has no CREATEROLE'],
  notes: ["One table has no primary key."],
  roles: [
    {
      ...{ name: "metabase", change: "create", access: "readonly", gains: [], loses: [] },
      attributes: [
        { name: "login", from: null, to: "yes" },
        { name: "statementTimeout", from: null, to: "60 s" },
      ],
      reads: {
        total: 3,
        whole: ["public.games"],
        partly: [{ table: "public.users", without: ["name"] }],
        not: ["public.tokens"],
      },
    },
    {
      ...{ name: "spellbot_app", change: "change", access: "readwrite", loses: [] },
      attributes: [{ name: "connectionLimit", from: "40", to: "60" }],
      reads: { total: 3, whole: ["public.games", "public.users", "public.tokens"], partly: [], not: [] },
      gains: ["SELECT on table public.tokens"],
    },
    {
      ...{ name: "intern", change: "drop", access: null, attributes: [], reads: null, gains: [], loses: [] },
    },
  ],
  rightsStatements: ['GRANT USAGE ON SCHEMA "public" TO "metabase"'],
  drift: [
    {
      ...{ kind: "right", subject: "spellbot_readonly_user", becomes: "revoked" },
      found: "INSERT on table public.games, which nobody declared",
    },
  ],
  migrations: {
    apply: [
      {
        ...{ name: "20261201000012_game_notes", file: "migrations/20261201000012_game_notes.sql" },
        ...{ language: "sql", reversible: true, transaction: true },
        sql: "-- migrate: up\nCREATE INDEX ON games (created_at);\nALTER TABLE users DROP COLUMN email;",
        statements: [
          {
            ...{
              where: "migrations/20261201000012_game_notes.sql:2",
              sql: "CREATE INDEX ON games (created_at)",
            },
            effects: [
              {
                ...{ form: "create-index", table: sizedTable(), lock: "SHARE", rows: "read", part: null },
                blocks: "builds an index while nobody can write to it",
              },
            ],
            losses: [],
          },
          {
            ...{
              where: "migrations/20261201000012_game_notes.sql:3",
              sql: "ALTER TABLE users DROP COLUMN email",
            },
            effects: [
              {
                ...{
                  form: "drop-column",
                  lock: "ACCESS EXCLUSIVE",
                  rows: "untouched",
                  blocks: null,
                  part: "email",
                },
                table: sizedTable({ name: "public.users", bytes: 8192, rows: 120, partitions: 4 }),
              },
            ],
            losses: [{ what: "column public.users.email", rows: 118, counted: true }],
          },
        ],
        warnings: ["migrations/20261201000012_game_notes.sql:2: create-index on games"],
      },
    ],
    revert: [
      {
        ...{ name: "20241101000000_old", file: "20241101000000_old, down script as recorded" },
        ...{ language: "sql", reversible: true, transaction: true, sql: "DROP TABLE old;" },
        statements: [
          {
            ...{ where: "20241101000000_old, down script as recorded:1", sql: "DROP TABLE old", effects: [] },
            losses: [{ what: "table public.old", rows: 1, counted: true }],
          },
        ],
        warnings: [],
      },
    ],
    ...{ adopt: [], heldBack: ["20270101000000_later"], applied: 22 },
  },
  dump: {
    ...{ label: "20261201", when: "before", path: "dumps/prod-20261201.dump", made: true },
    last: { path: "dumps/prod-20261130.dump", createdAt: "2026-12-01T09:00:00.000Z", bytes: 5_000_000 },
  },
  cutover: {
    ...{ from: "organization/pgstack/old", state: "rehearse", method: "copy", completed: false },
    rehearsal: {
      ...{ rehearsedAt: "2026-11-30T12:00:00.000Z", expectedDowntimeSeconds: 14.5 },
      stages: [
        { name: "rows and indexes", seconds: 12.5, rows: 9_100_000, bytes: 1_200_000_000 },
        { name: "comparison", seconds: 2, rows: 9_100_000, bytes: null },
      ],
      ...{ blocking: ["a switch would take longer than maxFreeze allows"], notes: [] },
    },
  },
  resources: [
    { operation: "create", type: "postgresql:index/role:Role", name: "metabase-role", because: [] },
  ],
});

const column = (name: string, type: string, change: SchemaChange = "none") => ({
  ...{ name, type, notNull: name === "id", key: name === "id", change, becomes: null },
});

/** A schema of some tables, each with a reference to an earlier one; the last of them is new. */
export function schemaOf(tables: number, columns = 8): PlannedSchema {
  const others = Array.from({ length: columns - 2 }, (_, at) =>
    column(`column_${at}`, "character varying(200)"),
  );
  const numbers = Array.from({ length: tables }, (_, at) => at);
  return {
    tables: numbers.map((at) => ({
      ...{ schema: "public", name: `table_${at}`, becomes: null, because: [] },
      change: at === tables - 1 ? "add" : "none",
      columns: [column("id", "integer"), column("other_id", "integer"), ...others],
    })),
    references: numbers.slice(1).map((at) => ({
      ...{ name: `table_${at}_fkey`, from: `public.table_${at}`, to: `public.table_${Math.floor(at / 3)}` },
      ...{ columns: ["other_id"], referenced: ["id"], change: at === tables - 1 ? "add" : "none" },
    })),
  };
}

/** A matrix in which every role reads every table, gains one right on the first and loses one. */
export function matrixOf(tables: readonly string[], roles: readonly string[]): RightsMatrix {
  return {
    roles: roles.map((name) => ({ name, access: "readwrite", superuser: false, validUntil: null })),
    rights: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"],
    tables,
    cells: roles.flatMap((role) =>
      tables.map((table, at) => ({
        ...{ role, table, held: ["SELECT", "INSERT", "UPDATE", "DELETE"], columns: [] },
        ...{ gains: at === 0 ? ["TRUNCATE"] : [], loses: at === 0 ? ["DELETE"] : [] },
      })),
    ),
  };
}

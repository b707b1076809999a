import { readFileSync } from "node:fs";
import type pg from "pg";
import * as v from "valibot";
import { parseValues } from "../config/parse.ts";
import { withClient } from "../postgres/connection.ts";
import { oneRow } from "../postgres/rows.ts";
import { isUserSchema } from "../postgres/sql.ts";
import { RefusedError } from "../util/errors.ts";
import { parseRequest } from "../util/request.ts";
import { type Plan, type PlannedMigration, planVersion } from "./model.ts";
import type { PlanInput } from "./plan.ts";
import { waysOf } from "./ways.ts";

/** A plan as it was reviewed: what `plan --save` writes and `up --approved` takes. */
export interface SavedPlan {
  readonly version: typeof planVersion;
  readonly plan: Plan;
  /** A fingerprint of each part of the live catalog; empty where the database could not be read. */
  readonly catalog: Readonly<Record<string, string>>;
}

const inUserSchemas = (column: string) =>
  `JOIN pg_catalog.pg_namespace n ON n.oid = ${column} WHERE ${isUserSchema("n.nspname")}`;

/** What is hashed of each part: a query with one text column, whose rows count and whose order does not. */
const parts: Readonly<Record<string, string>> = {
  tables: `SELECT pg_catalog.format('%s.%s %s %s %s', n.nspname, c.relname, c.relkind, c.relpersistence, c.reloptions) AS line
    FROM pg_catalog.pg_class c ${inUserSchemas("c.relnamespace")} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')`,
  columns: `SELECT pg_catalog.format('%s.%s %s %s %s %s %s', n.nspname, c.relname, a.attname,
      pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, pg_catalog.pg_get_expr(d.adbin, d.adrelid)) AS line
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      ${inUserSchemas("c.relnamespace")} AND a.attnum > 0 AND NOT a.attisdropped`,
  constraints: `SELECT pg_catalog.format('%s.%s %s', n.nspname, k.conname, pg_catalog.pg_get_constraintdef(k.oid)) AS line
    FROM pg_catalog.pg_constraint k ${inUserSchemas("k.connamespace")}`,
  indexes: `SELECT pg_catalog.format('%s %s', pg_catalog.pg_get_indexdef(i.indexrelid), i.indisvalid) AS line
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid ${inUserSchemas("c.relnamespace")}`,
  views: `SELECT pg_catalog.format('%s.%s %s', n.nspname, c.relname, pg_catalog.pg_get_viewdef(c.oid)) AS line
    FROM pg_catalog.pg_class c ${inUserSchemas("c.relnamespace")} AND c.relkind IN ('v', 'm')`,
  functions: `SELECT pg_catalog.format('%s.%s(%s) %s %s', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid), p.prosecdef, p.prosrc) AS line
    FROM pg_catalog.pg_proc p ${inUserSchemas("p.pronamespace")}`,
  triggers: `SELECT pg_catalog.format('%s %s', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled) AS line
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid ${inUserSchemas("c.relnamespace")} AND NOT t.tgisinternal`,
  policies: `SELECT pg_catalog.format('%s.%s %s %s %s', p.schemaname, p.tablename, p.policyname, p.qual, p.with_check) AS line
    FROM pg_catalog.pg_policies p`,
  types: `SELECT pg_catalog.format('%s.%s %s %s', n.nspname, t.typname, t.typtype, e.enumlabel) AS line
    FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid ${inUserSchemas("t.typnamespace")}`,
  rights: `SELECT pg_catalog.format('%s.%s %s %s', n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), c.relacl) AS line
    FROM pg_catalog.pg_class c ${inUserSchemas("c.relnamespace")}
    UNION ALL SELECT pg_catalog.format('%s %s', n.nspname, n.nspacl) FROM pg_catalog.pg_namespace n WHERE ${isUserSchema("n.nspname")}
    UNION ALL SELECT pg_catalog.format('%s %s %s', d.defaclrole::regrole, d.defaclnamespace, d.defaclacl) FROM pg_catalog.pg_default_acl d
    UNION ALL SELECT pg_catalog.format('%s %s', datname, datacl) FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
  roles: `SELECT pg_catalog.format('%s %s %s %s %s %s', rolname, rolsuper, rolcanlogin, rolconnlimit, rolvaliduntil, rolconfig) AS line
    FROM pg_catalog.pg_roles UNION ALL
    SELECT pg_catalog.format('%s in %s', member::regrole, roleid::regrole) FROM pg_catalog.pg_auth_members`,
  extensions: "SELECT pg_catalog.format('%s %s', extname, extversion) AS line FROM pg_catalog.pg_extension",
};

/** A fingerprint of each part of a database's catalog: another one where a definition, a right or a role has changed. */
export async function fingerprintCatalog(client: pg.Client): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [part, query] of Object.entries(parts)) {
    const sql = `SELECT pg_catalog.md5(COALESCE(pg_catalog.string_agg(line, E'\\n' ORDER BY line), '')) AS sum FROM (${query}) AS lines`;
    found[part] = (await oneRow<{ sum: string }>(client, sql)).sum;
  }
  return found;
}

/** A plan with the fingerprint of the catalog that it was made from. */
export async function savedPlan({ facts, engine }: PlanInput, plan: Plan): Promise<SavedPlan> {
  const isRead = engine !== undefined && plan.server.state === "read";
  const ways = isRead ? waysOf(facts, parseValues(facts.config)) : undefined;
  const inside = ways && { ...ways.admin, database: plan.server.database };
  const catalog = inside === undefined ? {} : await withClient(inside, fingerprintCatalog);
  return { version: planVersion, plan, catalog };
}

const Saved = v.looseObject({
  version: v.literal(planVersion),
  plan: v.looseObject({
    stack: v.string(),
    server: v.looseObject({ database: v.string() }),
    head: v.object({ from: v.nullable(v.string()), to: v.nullable(v.string()) }),
    migrations: v.looseObject({ apply: v.array(v.unknown()), revert: v.array(v.unknown()) }),
    roles: v.array(v.unknown()),
  }),
  catalog: v.record(v.string(), v.string()),
});

/** Reads what `plan --save` wrote. Throws RefusedError for anything else. */
export function readSavedPlan(path: string): SavedPlan {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new RefusedError(`The approved plan cannot be read: ${(error as Error).message}`, { cause: error });
  }
  return parseRequest(Saved, text, "a plan that plan --save wrote") as unknown as SavedPlan;
}

function movedMigrations(
  what: string,
  before: readonly PlannedMigration[],
  now: readonly PlannedMigration[],
): string[] {
  const texts = new Map(before.map(({ name, sql }) => [name, sql]));
  const present = new Set(now.map(({ name }) => name));
  const changed = now.flatMap(({ name, sql }) => {
    if (!texts.has(name)) return [`${what} ${name} was not in the plan`];
    return texts.get(name) === sql ? [] : [`the SQL of ${what} ${name} is another one`];
  });
  const gone = before.filter(({ name }) => !present.has(name)).map(({ name }) => `${what} ${name} is gone`);
  const order = (list: readonly PlannedMigration[]) => list.map(({ name }) => name).join();
  const reordered = changed.length + gone.length === 0 && order(before) !== order(now);
  return [...changed, ...gone, ...(reordered ? [`each ${what} has another place in the order`] : [])];
}

/** Parts of a plan that are compared as a whole, by what a message calls them. */
const compared: readonly (readonly [string, (plan: Plan) => unknown])[] = [
  ["the head", ({ head }) => head],
  ["what becomes of roles", ({ roles }) => roles.map(({ reads: _, ...role }) => role)],
  ["which tables roles read", ({ roles }) => roles.map(({ reads }) => reads)],
  ["the statements about rights", ({ rightsStatements }) => rightsStatements],
  ["what has drifted", ({ drift }) => drift],
  ["the migrations to record", ({ migrations }) => migrations.adopt],
  ["the dump", ({ dump }) => dump && [dump.label, dump.when, dump.made]],
  ["the restore", ({ restore }) => restore && [restore.from, restore.made, restore.lost, restore.missing]],
  [
    "the cutover",
    ({ cutover }) => cutover && [cutover.from, cutover.state, cutover.method, cutover.completed],
  ],
  [
    "the resources that change",
    ({ resources }) => resources.map(({ operation, type, name }) => [operation, type, name]),
  ],
];

/** What has moved since a plan was reviewed, a line each; none where `up` does what was approved. Pure. */
export function movedSince(saved: SavedPlan, now: SavedPlan): string[] {
  const [before, after] = [saved.plan, now.plan];
  if (before.stack !== after.stack || before.server.database !== after.server.database)
    return [`the plan is of database "${before.server.database}" of stack "${before.stack}"`];
  const names = new Set([...Object.keys(saved.catalog), ...Object.keys(now.catalog)]);
  const catalog = [...names].filter((part) => saved.catalog[part] !== now.catalog[part]);
  return [
    ...movedMigrations("migration", before.migrations.apply, after.migrations.apply),
    ...movedMigrations("down migration", before.migrations.revert, after.migrations.revert),
    ...compared
      .filter(([, part]) => JSON.stringify(part(before)) !== JSON.stringify(part(after)))
      .map(([what]) => `${what}: not as reviewed`),
    ...catalog.map((part) => `the live catalog's ${part}: not as they were`),
  ];
}

/** Throws RefusedError that lists what has moved since a plan was approved. */
export function refuseMoved(saved: SavedPlan, now: SavedPlan, path: string): void {
  const moved = movedSince(saved, now);
  if (moved.length > 0)
    throw new RefusedError(
      `Expected what ${path} approves, found something else. Nothing was changed:\n  ${moved.join("\n  ")}\n` +
        "Make a plan again (./pgstack plan --save FILE), and have it reviewed.",
    );
}

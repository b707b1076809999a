import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { readMigrations } from "../../runner/migrations/files/directory.ts";
import { readScript } from "../../runner/migrations/files/script.ts";
import type { MigrationFile } from "../../runner/migrations/files/types.ts";
import { parseStatements } from "../../runner/migrations/lint/parse.ts";
import { applyMigrations } from "../../runner/migrations/run/apply.ts";
import { revertMigration } from "../../runner/migrations/run/revert.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { findPrograms } from "../../runner/postgres/programs.ts";
import { autogenerate, differences, type Revision } from "../../runner/revision/autogenerate.ts";
import { readCatalog } from "../../runner/revision/catalog/read.ts";
import { dumpDifferences, dumpSchema } from "../../runner/scratch/schema-dump.ts";
import { openScratchServer, type Scratch } from "../../runner/scratch/server.ts";
import { runQuietly } from "./statement-watch.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "./throwaway-cluster.ts";

/** A difference between a database and models, and what its revision must be like. */
export interface RevisionCase {
  readonly name: string;
  /** SQL that makes the live database, rows included. */
  readonly live: string;
  readonly models: string;
  readonly ignore?: readonly string[];
  readonly rename?: readonly string[];
  /** Written with `--online`: each statement of the files is run by itself too, and may keep nobody waiting while it works. */
  readonly online?: true | "with long locks";
  /** What the scripts must hold. */
  readonly up?: readonly RegExp[];
  readonly down?: readonly RegExp[];
  /** What the up script must not hold. */
  readonly without?: readonly RegExp[];
  /** Queries after up, and after up and down, with the first column that they must give. */
  readonly afterUp?: Readonly<Record<string, unknown[]>>;
  readonly afterDown?: Readonly<Record<string, unknown[]>>;
  /** What is not as at the start after the down migration, because rows are in the way. */
  readonly downDiffers?: readonly RegExp[];
  /** True where the database keeps what the models lack, so that its dump is another one. */
  readonly leavesMore?: true;
  /** The first and the last major version that can hold these schemas. */
  readonly versions?: readonly [since: number, until: number];
  /** What is said besides, and what is not. */
  readonly hints?: readonly RegExp[];
  readonly withoutHints?: readonly RegExp[];
  /** What the proof cannot confirm, and the database shows too. */
  readonly problems?: readonly RegExp[];
}

let cluster: ThrowawayCluster;
let scratch: Scratch;
let count = 0;

async function freshDatabase(sql: string): Promise<ConnectionSettings> {
  const settings = { ...cluster.admin, database: `case_${++count}` };
  await withClient(cluster.admin, (client) => client.query(`CREATE DATABASE ${settings.database}`));
  await withClient(settings, (client) => client.query(sql));
  return settings;
}

async function checkQueries(
  settings: ConnectionSettings,
  queries: RevisionCase["afterUp"] = {},
): Promise<void> {
  for (const [text, expected] of Object.entries(queries)) {
    const rows = await withClient(
      settings,
      async (client) => (await client.query({ text, rowMode: "array" })).rows,
    );
    assert.deepEqual(
      rows.map(([first]) => first),
      expected,
      text,
    );
  }
}

function checkText(one: RevisionCase, directory: string): void {
  const text = readdirSync(directory)
    .sort()
    .map((name) => readFileSync(join(directory, name), "utf8"));
  const up = text.map((file) => file.split("-- migrate: down")[0]).join("\n");
  const down = text.map((file) => file.split("-- migrate: down")[1]).join("\n");
  for (const pattern of one.up ?? []) assert.match(up, pattern);
  for (const pattern of one.down ?? []) assert.match(down, pattern);
  for (const pattern of one.without ?? []) assert.doesNotMatch(up, pattern);
}

/** Applies what was written to the live database, rows and all, and takes it back, by the runner of migrations. */
async function checkBothWays(one: RevisionCase, live: ConnectionSettings, directory: string): Promise<void> {
  const models = await freshDatabase(one.models);
  const dump = (settings: ConnectionSettings) => dumpSchema(scratch.programs, settings);
  const start = await dump(live);
  const files = await readMigrations(directory, "migrations");
  const kept = () => new Set(files.map(({ name }) => name));
  const run = { access: { owner: live }, settings: defaultSettings, log: () => {} };
  await applyMigrations({ ...run, files, kept, leaving: new Set() });
  if (one.ignore === undefined && one.leavesMore === undefined)
    assert.deepEqual(dumpDifferences(await dump(live), await dump(models)), [], "up gives the models");
  assert.deepEqual(await compare(one, live), [], "a second revision is empty");
  await checkQueries(live, one.afterUp);
  for (const { name } of [...files].reverse()) assert.equal(await revertMigration(run, name), "reverted");
  const left = dumpDifferences(await dump(live), start);
  if (one.downDiffers === undefined) assert.deepEqual(left, [], "down gives the start");
  for (const pattern of one.downDiffers ?? []) assert.match(left.join("\n"), pattern);
  await checkQueries(live, one.afterDown);
}

/** The statements of one direction of all files, each as it is sent. */
async function statementsIn(files: readonly MigrationFile[], direction: "up" | "down"): Promise<string[]> {
  const scripts = files.map((file) => file[direction] ?? "");
  const parsed = scripts.map(async (text) => {
    const script = readScript(text, { label: "", firstLine: 1 });
    const statements = await parseStatements(script.text, script.statements);
    return statements.map(({ start, end }) => script.text.slice(start, end));
  });
  return (await Promise.all(parsed)).flat();
}

async function checkQuiet(one: RevisionCase, directory: string): Promise<void> {
  const live = await freshDatabase(one.live);
  const files = await readMigrations(directory, "migrations");
  await runQuietly(live, await statementsIn(files, "up"));
  await runQuietly(live, await statementsIn(files.toReversed(), "down"));
}

function request(one: RevisionCase, live: Parameters<Parameters<typeof withClient>[1]>[0]) {
  const models = [{ name: "models", sql: one.models }];
  return {
    ...scratch,
    origin: { live: readCatalog(live) },
    models,
    ignore: one.ignore ?? [],
    renames: one.rename ?? [],
    online: one.online !== undefined,
  };
}

const compare = (one: RevisionCase, live: ConnectionSettings) =>
  withClient(live, (client) => differences(request(one, client)));

/** Writes the revision of a case into a folder, from a database that it makes. */
export async function writeCase(
  one: RevisionCase,
  directory: string,
): Promise<{ live: ConnectionSettings; revision: Revision }> {
  const live = await freshDatabase(one.live);
  const place = { directory, description: one.name, now: new Date() };
  return { live, revision: await withClient(live, (client) => autogenerate(request(one, client), place)) };
}

async function checkCase(one: RevisionCase): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-revision-"));
  try {
    const { live, revision } = await writeCase(one, directory);
    if (process.env.SHOW)
      console.log(
        readdirSync(directory)
          .sort()
          .map((name) => readFileSync(join(directory, name), "utf8"))
          .join("\n"),
      );
    if (one.problems === undefined) assert.deepEqual(revision.problems, [], "the proof finds no fault");
    for (const pattern of one.problems ?? []) assert.match(revision.problems.join("\n"), pattern);
    for (const pattern of one.hints ?? []) assert.match(revision.hints.join("\n"), pattern);
    for (const pattern of one.withoutHints ?? []) assert.doesNotMatch(revision.hints.join("\n"), pattern);
    checkText(one, directory);
    if (one.problems === undefined) await checkBothWays(one, live, directory);
    if (one.online === true) await checkQuiet(one, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Makes each case a test, all on one cluster with one scratch server. */
export function testCases(cases: readonly RevisionCase[]): void {
  before(async () => {
    [cluster, scratch] = await Promise.all([
      startThrowawayCluster(),
      openScratchServer({ programs: await findPrograms("initdb") }),
    ]);
  });
  after(async () => {
    await scratch?.server.close();
    await cluster?.close();
  });
  for (const one of cases)
    test(one.name, (context) => {
      const [since, until] = one.versions ?? [0, Number.POSITIVE_INFINITY];
      const { major } = cluster.place.programs;
      return major < since || major > until ? context.skip(`not on PostgreSQL ${major}`) : checkCase(one);
    });
}

import * as v from "valibot";
import { type Call, type Command, queryCommand } from "../../cli/command.ts";
import { type MigrationSettings, Migrations } from "../../config/migrations.ts";
import { applyManifest } from "../../migrations/apply-manifest.ts";
import { accessOf, filesOf, migrationFlags, settingsOf } from "../../migrations/cli-options.ts";
import { type MigrationFile, refuseIrreversible } from "../../migrations/files/types.ts";
import type { Manifest } from "../../migrations/plan/manifest.ts";
import { resolveTarget } from "../../migrations/plan/order.ts";
import { keptFiles } from "../../migrations/plan/target-revision.ts";
import { type CheckRequest, checkDatabase } from "../../migrations/preview.ts";
import { revertMigration } from "../../migrations/run/revert.ts";
import { accessFromEnvironment } from "../../migrations/run/session.ts";
import { readStatus, type StatusRow } from "../../migrations/status.ts";
import { isMissingDatabase } from "../../postgres/connection.ts";
import { ExitCode, RefusedError } from "../../util/errors.ts";
import { parseRequest } from "../../util/request.ts";

const maybeText = v.nullable(v.string());

const ManifestRequest = v.looseObject({
  directory: v.string(),
  table: v.string(),
  lockTimeout: v.number(),
  statementTimeout: v.number(),
  outOfOrder: Migrations.entries.outOfOrder,
  baseline: maybeText,
  adopt: v.boolean(),
  migrations: v.record(v.string(), v.string()),
  folded: v.nullable(v.looseObject({ count: v.number(), digest: v.string() })),
  epoch: maybeText,
});

const RecordRequest = v.looseObject({
  name: v.string(),
  settings: v.looseObject({ table: v.string(), lockTimeout: v.number(), statementTimeout: v.number() }),
});

const migrationsApply: Command = {
  summary: "applies what a stack's manifest asks for and the database lacks; prints count and head",
  usage: "migrations-apply < MANIFEST",
  flags: {},
  run: async ({ stdin, env, print, log }) => {
    const manifest: Manifest = parseRequest(ManifestRequest, await stdin(), "a manifest of migrations");
    print(JSON.stringify(await applyManifest(manifest, env, log)));
    return ExitCode.done;
  },
};

const outcomes = {
  reverted: (name: string) => `${name} is reverted`,
  absent: (name: string) => `${name} is not applied: nothing to revert`,
  "in baseline": (name: string) => `${name} is part of the baseline now: it stays`,
};

const migrationRevert: Command = {
  summary: "reverts one migration, as its record leaves the stack; does nothing where it is not applied",
  usage: "migration-revert < RECORD",
  flags: {},
  run: async ({ stdin, env, log }) => {
    const { name, settings } = parseRequest(RecordRequest, await stdin(), "the record of a migration");
    log(outcomes[await revertMigration({ access: accessFromEnvironment(env), settings, log }, name)](name));
    return ExitCode.done;
  },
};

/** How the migrations stand; in a database that is gone none is applied, and the update that follows makes it again. */
async function standingsOf(
  call: Call,
  files: readonly MigrationFile[],
  settings: MigrationSettings,
): Promise<readonly StatusRow[]> {
  try {
    return (await readStatus(accessOf(call), files, settings)).migrations;
  } catch (error) {
    if (!isMissingDatabase(error)) throw error;
    return files.map(({ name }) => ({ name, state: "pending" }));
  }
}

/** What the update would stop at is refused while the stack's configuration is as it was. Throws RefusedError. */
function refuseImpossible(
  target: string,
  files: readonly MigrationFile[],
  applied: readonly StatusRow[],
  settings: MigrationSettings,
): void {
  const kept = new Set(
    keptFiles(files, { rows: applied }, { ...settings, to: target }).map(({ name }) => name),
  );
  const leaving = new Set(applied.map(({ name }) => name).filter((name) => !kept.has(name)));
  const irreversible = files.find(({ name, down }) => leaving.has(name) && down === null);
  if (irreversible !== undefined) refuseIrreversible(irreversible.name);
}

/** What the entry script puts into a stack's `migrations.to` for `upgrade` and `downgrade`. */
const migrationsTarget: Command = {
  summary: "the value of migrations.to that REV means on a stack at present",
  usage: "migrations-target (up|down) REV --stack S",
  flags: migrationFlags,
  run: async (call) => {
    const [direction, to = "latest"] = call.words;
    const settings = { ...settingsOf(call), to: "latest" };
    const files = await filesOf(settings);
    const migrations = await standingsOf(call, files, settings);
    const known = new Set(files.map(({ name }) => name));
    const applied = migrations.filter(({ name, appliedAt }) => appliedAt !== undefined && known.has(name));
    const sequence = direction === "down" ? applied : migrations.filter(({ name }) => known.has(name));
    const names = sequence.map(({ name }) => name);
    const kept = resolveTarget(to, names, applied.length);
    if (direction === "up" && kept < applied.length)
      throw new RefusedError(`"${to}" is older than what is applied: use ./pgstack downgrade.`);
    const target = direction === "up" && kept === names.length ? "latest" : (names[kept - 1] ?? "0");
    refuseImpossible(target, files, applied, settings);
    call.print(target);
    return ExitCode.done;
  },
};

/** Where the files are. */
export interface ReadRequest {
  readonly directory: string;
}

const migrationsRead = queryCommand<ReadRequest>(
  "migrations-read",
  "the files of migrations, as JSON",
  filesOf,
  v.looseObject({ directory: v.string() }),
);

const migrationsCheck = queryCommand<CheckRequest>(
  "migrations-check",
  "what a preview should know of the database's migrations, as JSON",
  (request, environment) => checkDatabase(accessFromEnvironment(environment), request),
);

/** By the name that a resource calls it by. */
export const commands = {
  "migrations-apply": migrationsApply,
  "migration-revert": migrationRevert,
  "migrations-target": migrationsTarget,
  "migrations-read": migrationsRead,
  "migrations-check": migrationsCheck,
} satisfies Record<string, Command>;

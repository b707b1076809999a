import * as pulumi from "@pulumi/pulumi";
import type { StackResult } from "../runner/migrations/apply-manifest.ts";
import type { MigrationFile } from "../runner/migrations/files/types.ts";
import type { MigrationRecord } from "../runner/migrations/history/history.ts";
import { isFolded, manifestOf } from "../runner/migrations/plan/manifest.ts";
import { sequenceOf } from "../runner/migrations/plan/plan.ts";
import { keptFiles } from "../runner/migrations/plan/target-revision.ts";
import type { CheckRequest, CheckResult } from "../runner/migrations/preview.ts";
import type { MigrationSettings } from "../runner/migrations/settings.ts";
import { UserError } from "../runner/util/errors.ts";
import { connectionEnvironment, type Login } from "./connection.ts";
import type { Administrator } from "./instance.ts";
import { type Rollback, RunnerCommand } from "./runner/command.ts";
import { askRunner, knownValue } from "./runner/query.ts";
import type { Queries } from "./runner/query-process.ts";

export interface MigrationsArgs {
  readonly settings: MigrationSettings;
  /** Of `readFiles`. */
  readonly files: readonly MigrationFile[];
  /** The server; its administrator stands in for the owner while the owner's password changes. */
  readonly administrator: Administrator;
  /** The database's owner, as whom migrations run. */
  readonly owner: Login;
  /** The database: with it goes all that is in it, and no down script runs. */
  readonly deletedWith: pulumi.CustomResource;
  /** What must be there before the first migration runs. */
  readonly after?: readonly pulumi.Input<pulumi.Resource>[];
  /** Another value after each restore, so that what the dump lacks is applied. */
  readonly epoch?: pulumi.Input<string> | undefined;
  /** A cutover that waits for the migrations. */
  readonly rollback?: Rollback | undefined;
  readonly queries: Queries;
}

type Environment = Record<string, pulumi.Input<string>>;

/**
 * The migrations of a database: one command that applies whatever is pending, then a record for each migration, whose
 * end reverts it.
 */
export class Migrations extends pulumi.ComponentResource {
  /** Migrations that are applied. */
  readonly count: pulumi.Output<number>;
  /** The one that was applied last, or null. */
  readonly head: pulumi.Output<string | null>;
  /** Files that `migrations.to` holds back. */
  readonly pending: pulumi.Output<number>;
  /** Everything is applied once this is done; grants on what migrations make wait for it. */
  readonly applied: pulumi.Input<pulumi.Resource>;

  constructor(name: string, args: MigrationsArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:Migrations", name, {}, options);
    const { files } = args;
    const environment = environmentOf(args, args.owner);
    const asAdmin = environmentOf(args, { ...args.owner, password: undefined });
    const request = { settings: args.settings, files };
    const { queries, deletedWith: database } = args;
    const checked = { asOwner: environment, asAdmin, database, queries };
    const check = checkDatabase(request, checked, this);
    const plan = check.then((found) => ({ found, kept: keptFiles(files, historyOf(found), args.settings) }));
    const apply = plan.then((plan) => createApply(name, args, { environment, ...plan }, this));
    this.applied = apply;
    const result = pulumi.output(apply.then((command) => command.result<StackResult>()));
    this.count = result.count;
    this.head = result.head;
    this.pending = result.pending;
    const records = Promise.all([plan, apply]).then(([plan, apply]) =>
      createRecords(args, { environment, ...plan, apply }, this),
    );
    this.registerOutputs(records.then(() => ({})));
  }
}

/**
 * The migrations' files, as the runner reads them. An update has to wait for them before anything is declared: the engine
 * goes on with what it knows when a fault of a file ends the program, and would freeze a cutover's source for nothing. A
 * fault prints without a stack.
 */
export async function readFiles(queries: Queries, settings: MigrationSettings): Promise<MigrationFile[]> {
  const files = (await askRunner<MigrationFile[]>(queries, "migrations-read", settings, {})) ?? [];
  try {
    keptFiles(files, { rows: [] }, settings);
    return files;
  } catch (error) {
    throw error instanceof UserError ? new pulumi.RunError(error.message) : error;
  }
}

function historyOf(result: CheckResult | undefined) {
  return { rows: (result?.applied ?? []).map((name) => ({ name })) };
}

function environmentOf({ administrator }: MigrationsArgs, owner: Login): Environment {
  return {
    ...connectionEnvironment(administrator, owner),
    PGSTACK_ADMIN_USER: administrator.user,
    PGSTACK_ADMIN_PASSWORD: pulumi.secret(administrator.password),
  };
}

interface ApplyInputs {
  readonly environment: Environment;
  /** What the database says, where it can be asked. */
  readonly found: CheckResult | undefined;
  readonly kept: readonly MigrationFile[];
}

function createApply(
  name: string,
  { settings: { to: _, ...settings }, epoch, deletedWith, rollback, after = [] }: MigrationsArgs,
  { environment, found, kept }: ApplyInputs,
  parent: pulumi.Resource,
): RunnerCommand {
  const request = pulumi
    .output(epoch)
    .apply((epoch) => JSON.stringify(manifestOf(kept, settings, epoch ?? null)));
  const unseen = found?.database === "unreachable";
  return new RunnerCommand(
    name,
    {
      ensure: "migrations-apply",
      request,
      environment: { ...environment, PGSTACK_DRIFT: found?.token ?? "" },
      rollback,
    },
    {
      parent,
      deletedWith,
      dependsOn: [...after],
      ...(unseen && { ignoreChanges: ["environment.PGSTACK_DRIFT"] }), // what is not known has not changed
    },
  );
}

interface RecordInputs extends ApplyInputs {
  readonly apply: RunnerCommand;
}

/** In the order of application, so that the engine, which ends records backwards, reverts what was applied last first. */
function createRecords(
  { settings, deletedWith }: MigrationsArgs,
  { environment, found, kept, apply }: RecordInputs,
  parent: pulumi.Resource,
): void {
  const byName = new Map(kept.map((file) => [file.name, file]));
  const { table, lockTimeout, statementTimeout } = settings;
  let previous = apply;
  for (const name of sequenceOf(kept, historyOf(found))) {
    const file = byName.get(name);
    if (file === undefined || isFolded(name, settings.baseline)) continue;
    const { up, down, checksum } = file;
    const record: MigrationRecord = {
      name,
      up,
      down,
      checksum,
      settings: { table, lockTimeout, statementTimeout },
    };
    previous = new RunnerCommand(
      `migration-${name}`,
      { remove: "migration-revert", request: JSON.stringify(record), environment },
      { parent, deletedWith, dependsOn: [previous] },
    );
  }
}

const unread: Partial<Record<CheckResult["database"], string>> = {
  unreachable:
    "The database could not be asked what is applied, so this preview goes by the files alone: edited, unknown and missing migrations do not show.",
  absent:
    "The stack has made this database, and it is gone. ./pgstack up makes it again; plain pulumi needs a refresh first.",
};

/** Tells what the database says, as far as a person should hear it. */
function report(result: CheckResult, resource: pulumi.Resource): void {
  const gap = unread[result.database];
  if (gap !== undefined) void pulumi.log.warn(`${gap} ${result.reason}`, resource);
  const { adopting, pending } = result;
  if (adopting.length > 0)
    void pulumi.log.info(
      `${adopting.length} to record, if the schema is theirs: ${adopting.join(", ")}`,
      resource,
    );
  if (pending.length > 0) void pulumi.log.info(`${pending.length} to apply: ${pending.join(", ")}`, resource);
  for (const { message } of result.warnings) void pulumi.log.warn(message, resource);
  for (const { verdict, message } of result.findings)
    void pulumi.log.warn(
      verdict === "refuse" ? `${message} (\`up\` refuses until then.)` : message,
      resource,
    );
}

/** The database to ask, and the PG* variables that lead there. */
export interface Checked {
  readonly asOwner: Environment;
  /** As the admin, who becomes the owner where the server lets him. */
  readonly asAdmin: Environment;
  readonly database: pulumi.CustomResource;
  readonly queries: Queries;
}

/**
 * Asks the runner how the files and the database stand to each other: as the admin, who is known before the owner's
 * password is, and as the owner where that gives no answer. Undefined where the database is still to be made: at the
 * preview of the first `up`.
 */
export async function checkDatabase(
  request: CheckRequest,
  { asOwner, asAdmin, database, queries }: Checked,
  resource: pulumi.Resource,
): Promise<CheckResult | undefined> {
  const ask = (environment: Environment) =>
    askRunner<CheckResult>(queries, "migrations-check", request, environment);
  const [early, id] = await Promise.all([ask(asAdmin), knownValue(database.id)]);
  if (id === undefined) return undefined;
  const result = early?.database === "read" ? early : await ask(asOwner);
  if (result !== undefined) report(result, resource);
  return result;
}

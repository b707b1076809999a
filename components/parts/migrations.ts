import * as pulumi from "@pulumi/pulumi";
import type { MigrationSettings } from "../../runner/config/migrations.ts";
import type { StackResult } from "../../runner/migrations/apply-manifest.ts";
import type { MigrationFile } from "../../runner/migrations/files/types.ts";
import type { MigrationRecord } from "../../runner/migrations/history/history.ts";
import { isInBaseline, manifestOf } from "../../runner/migrations/plan/manifest.ts";
import { sequenceOf } from "../../runner/migrations/plan/plan.ts";
import { keptFiles } from "../../runner/migrations/plan/target-revision.ts";
import type { CheckRequest, CheckResult } from "../../runner/migrations/preview.ts";
import { meanwhile } from "../../runner/util/background.ts";
import { UserError } from "../../runner/util/errors.ts";
import { type Connection, type Rollback, RunnerCommand, type Variables } from "../runner/command.ts";
import { askRunner, knownValue } from "../runner/query.ts";
import type { Queries } from "../runner/query-process.ts";
import { type Administrator, connectionEnvironment, type Login } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { leavingRefusals, refusalsOf } from "./migration-refusals.ts";
import type { Names } from "./names.ts";
import { orFail, refuse, warnOrRefuse } from "./refusal.ts";

/** A restore or a cutover: what it brings may lack migrations. */
interface Content {
  /** Another value after each, so that what is missing is applied. */
  readonly contentGeneration: pulumi.Input<string>;
  /** Whether the database's contents are still to be replaced: what it has says nothing of what migrations will find. */
  readonly isPending: Promise<boolean>;
}

export interface MigrationsArgs {
  readonly names: Names;
  readonly settings: MigrationSettings;
  /** Of `readFiles`. */
  readonly files: Promise<readonly MigrationFile[]>;
  /** The server; its administrator stands in for the owner while the owner's password changes. */
  readonly administrator: Administrator;
  readonly connections: Connections;
  /** The database's owner, as whom migrations run. */
  readonly owner: Login;
  /** The database: with it goes all that is in it, and no down script runs. */
  readonly deletedWith: pulumi.CustomResource;
  /** What must be there before the first migration runs. */
  readonly after?: readonly pulumi.Input<pulumi.Resource>[];
  /** What fills the database before, where something does. */
  readonly content: Content | undefined;
  /** Whether a missing file alone may not revert its migration. */
  readonly protect: boolean;
  /** A cutover that waits for the migrations. */
  readonly rollback?: Rollback | undefined;
  /** Names of the migrations that have a record in the stack's state: those that the stack reverts when their record goes. */
  readonly recorded: () => Promise<ReadonlySet<string>>;
  readonly queries: Queries;
}

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
  /** Another value whenever objects may have come, gone or been replaced. */
  readonly generation: pulumi.Output<string>;
  /** One for each migration that is no part of the baseline; none is declared where `up` would refuse. */
  readonly records: Promise<readonly pulumi.Resource[]>;
  /** Everything is applied once this is done; grants on what migrations make wait for it. */
  readonly applied: pulumi.Input<pulumi.Resource>;

  constructor(name: string, args: MigrationsArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:Migrations", name, {}, options);
    const connection = args.connections.to(args.names.of("migrations"), variablesOf(args, args.owner));
    const plan = orFail(planOf(args, this));
    const apply = plan.then((plan) => createApply(name, args, { connection, ...plan }, this));
    this.applied = apply;
    const result = pulumi.output(apply.then((command) => command.result<StackResult>()));
    this.count = result.count;
    this.head = result.head;
    this.pending = result.pending;
    this.generation = pulumi.interpolate`${args.content?.contentGeneration ?? ""} ${this.count} ${this.head}`;
    this.records = Promise.all([plan, apply]).then(([plan, apply]) =>
      createRecords(args, { connection, ...plan, apply }, this),
    );
    this.registerOutputs(this.records.then(() => ({})));
  }
}

/**
 * The migrations' files, as the runner reads them. An update has to wait for them before anything is declared: the engine
 * continues with what it knows when a fault of a file ends the program, and would freeze a cutover's source for nothing. A
 * fault prints without a stack.
 */
export function readFiles(queries: Queries, settings: MigrationSettings): Promise<MigrationFile[]> {
  return meanwhile(readAll(queries, settings));
}

async function readAll(queries: Queries, settings: MigrationSettings): Promise<MigrationFile[]> {
  const files = (await askRunner<MigrationFile[]>(queries, "migrations-read", settings, {})) ?? [];
  keptOf(files, undefined, settings);
  return files;
}

/** The files that `migrations.to` keeps. Throws RunError where it, or the baseline, names none. */
function keptOf(
  files: readonly MigrationFile[],
  found: CheckResult | undefined,
  settings: MigrationSettings,
): MigrationFile[] {
  try {
    return keptFiles(files, historyOf(found), settings);
  } catch (error) {
    throw error instanceof UserError ? new pulumi.RunError(error.message) : error;
  }
}

function historyOf(result: CheckResult | undefined) {
  return { rows: (result?.applied ?? []).map((name) => ({ name })) };
}

function variablesOf({ administrator }: MigrationsArgs, owner: Login): Variables {
  const { user, password, passwordCommand } = administrator;
  return {
    ...connectionEnvironment(administrator, owner),
    PGSTACK_ADMIN_USER: user,
    PGSTACK_ADMIN_PASSWORD: pulumi.secret(password),
    ...(passwordCommand && { PGSTACK_ADMIN_PASSWORD_COMMAND: passwordCommand }),
  };
}

interface MigrationPlan {
  /** What the database says, where it can be asked. */
  readonly found: CheckResult | undefined;
  readonly kept: readonly MigrationFile[];
}

/** Asks the database, and refuses what `up` would stop at. */
async function planOf(args: MigrationsArgs, resource: pulumi.Resource): Promise<MigrationPlan> {
  const { settings, queries, deletedWith: database, protect, recorded } = args;
  const files = await args.files;
  const asOwner = variablesOf(args, args.owner);
  const asAdmin = variablesOf(args, { ...args.owner, password: undefined });
  const found = await checkDatabase({ settings, files }, { asOwner, asAdmin, database, queries });
  const kept = keptOf(files, found, settings);
  if (found === undefined) return { found, kept };
  report(found, resource);
  const refusals = [
    ...refusalsOf(found),
    ...(await leavingRefusals(found, { files, kept, settings, protect, recorded })),
  ];
  if (await args.content?.isPending) for (const message of refusals) void pulumi.log.warn(message, resource);
  else if (refusals.length > 0) refuse([`${refusals.join("\n")}\nNothing was run.`]);
  return { found, kept };
}

interface ApplyInputs extends MigrationPlan {
  readonly connection: Connection;
}

function createApply(
  name: string,
  { settings: { to: _, ...settings }, content, deletedWith, rollback, after = [] }: MigrationsArgs,
  { connection, found, kept }: ApplyInputs,
  parent: pulumi.Resource,
): RunnerCommand {
  const request = pulumi
    .output(content?.contentGeneration)
    .apply((generation) => JSON.stringify(manifestOf(kept, settings, generation ?? null)));
  const unseen = found === undefined || found.database === "unreachable";
  return new RunnerCommand(
    name,
    {
      ensure: "migrations-apply",
      request,
      connection,
      environment: { PGSTACK_DRIFT: found?.token ?? "" },
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
  { names, settings, deletedWith }: MigrationsArgs,
  { connection, found, kept, apply }: RecordInputs,
  parent: pulumi.Resource,
): RunnerCommand[] {
  const byName = new Map(kept.map((file) => [file.name, file]));
  const { table, lockTimeout, statementTimeout } = settings;
  const records: RunnerCommand[] = [];
  for (const name of sequenceOf(kept, historyOf(found))) {
    const file = byName.get(name);
    if (file === undefined || isInBaseline(name, settings.baseline)) continue;
    const { up, down, checksum } = file;
    const record: MigrationRecord = {
      name,
      up,
      down,
      checksum,
      settings: { table, lockTimeout, statementTimeout },
    };
    records.push(
      new RunnerCommand(
        names.of(`migration-${name}`),
        { remove: "migration-revert", request: JSON.stringify(record), connection },
        { parent, deletedWith, dependsOn: [records.at(-1) ?? apply] },
      ),
    );
  }
  return records;
}

const unread: Partial<Record<CheckResult["database"], string>> = {
  unreachable:
    "The database could not be asked what is applied, so this preview goes by the files alone: edited, unknown and missing migrations do not show.",
  absent:
    "The stack has made this database, and it is gone. ./pgstack up makes it again; plain pulumi needs a refresh first.",
};

/** Tells what the database says, as far as a person should hear it. */
function report(result: CheckResult, resource: pulumi.Resource): void {
  const { database, reason, adopting, pending, warnings, findings } = result;
  if (database === "unreachable") warnOrRefuse(`${unread[database]} ${reason}`, resource);
  if (database === "absent") void pulumi.log.warn(`${unread[database]} ${reason}`, resource);
  if (adopting.length > 0)
    void pulumi.log.info(
      `${adopting.length} to record, if the schema is theirs: ${adopting.join(", ")}`,
      resource,
    );
  if (pending.length > 0) void pulumi.log.info(`${pending.length} to apply: ${pending.join(", ")}`, resource);
  const notes = findings.filter(({ verdict }) => verdict === "note");
  for (const { message } of [...warnings, ...notes]) void pulumi.log.warn(message, resource);
}

/** The database to ask, and the PG* variables that lead there. */
interface Checked {
  readonly asOwner: Variables;
  /** As the admin, who becomes the owner where the server lets him. */
  readonly asAdmin: Variables;
  readonly database: pulumi.CustomResource;
  readonly queries: Queries;
}

/**
 * Asks the runner how the files and the database stand to each other: as the admin, who is known before the owner's
 * password is, and as the owner where that gives no answer. Undefined where the database is still to be made: at the
 * preview of the first `up`.
 */
async function checkDatabase(
  request: CheckRequest,
  { asOwner, asAdmin, database, queries }: Checked,
): Promise<CheckResult | undefined> {
  const ask = (environment: Variables) =>
    askRunner<CheckResult>(queries, "migrations-check", request, environment);
  const [early, id] = await Promise.all([ask(asAdmin), knownValue(database.id)]);
  if (id === undefined) return undefined;
  return early?.database === "read" ? early : ask(asOwner);
}

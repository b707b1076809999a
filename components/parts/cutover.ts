import { randomUUID } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { CutoverConfig } from "../../runner/config/cutover.ts";
import type { DatabaseConfig } from "../../runner/config/database.ts";
import type { CutoverCheck } from "../../runner/cutover/check.ts";
import type { CutoverRequest } from "../../runner/cutover/settings.ts";
import { keepCertificate } from "../../runner/util/certificate.ts";
import { type Connection, type Rollback, RunnerCommand, type Variables } from "../runner/command.ts";
import { askRunner, knownValue } from "../runner/query.ts";
import type { Queries } from "../runner/query-process.ts";
import type { Connections } from "./connections.ts";
import type { Names } from "./names.ts";
import { orFail, refuse } from "./refusal.ts";

export interface CutoverArgs {
  readonly names: Names;
  readonly config: CutoverConfig;
  readonly connections: Connections;
  /** Leads this server's administrator to the stack's database. */
  readonly connection: Connection;
  readonly declared: DatabaseConfig;
  /** Roles that this stack declares, whose grants are its own matter. */
  readonly roles: readonly string[];
  /** The database that is filled. */
  readonly database: pulumi.Resource;
  /** What must be there first: schemas, extensions, roles. */
  readonly after: readonly pulumi.Resource[];
  readonly queries: Queries;
}

/** What a stack says of its cutover: where clients should go, and what was done. */
export interface CutoverOutput {
  readonly active: boolean;
  /** The switch's record (`runner/cutover/state/record.ts`), or a rehearsal's report (`runner/cutover/stages/rehearse.ts`). */
  readonly record: unknown;
}

/** What all commands of one cutover have in common. */
interface Shared {
  readonly names: Names;
  readonly config: CutoverConfig;
  readonly request: pulumi.Output<string>;
  readonly connection: Connection;
  readonly environment: Variables;
}

/** One of the steps of a cutover. A repetition, for whatever reason, does only what is still to be done. */
function stage(
  { names, request, connection, environment }: Shared,
  name: string,
  options: pulumi.CustomResourceOptions,
): RunnerCommand {
  return new RunnerCommand(
    names.of(`cutover-${name}`),
    { ensure: `cutover-${name}`, request, connection, environment },
    options,
  );
}

/**
 * Another stack's database, copied here and compared. In state `rehearse` one resource does both; in state `switch` the
 * source is frozen first (with replication, after as much as can be done before the freeze), and a `Switchover` completes
 * the switch once everything else is in place. When the resources go, so does the freeze of the source.
 */
export class Cutover extends pulumi.ComponentResource {
  readonly shared: Shared;
  /** How the administrator reaches the old database. Secret. */
  readonly source: pulumi.Output<object>;
  /** Everything has been copied once this is done. */
  readonly copy: RunnerCommand;
  /** Another value after each copy, so that migrations and grants are checked again. */
  readonly contentGeneration: pulumi.Output<string>;
  /**
   * For what runs between the comparison and the switchover. With replication from the first rehearsal on, so that a
   * switch finds nothing to be run again under the freeze.
   */
  readonly rollback: Rollback | undefined;
  /** Whether the database's contents are still to be replaced. */
  readonly isPending: Promise<boolean>;

  constructor(name: string, args: CutoverArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:Cutover", name, {}, options);
    const { names, config, after } = args;
    refuseItself(config);
    const source = new pulumi.StackReference(config.from, {}, { parent: this });
    const admin = source.requireOutput("admin") as pulumi.Output<Administrator>;
    this.source = pulumi.secret(
      pulumi
        .all([admin, source.requireOutput("database")])
        .apply(([one, database]) => ({ ...one, database })),
    );
    const connection = args.connections.to(names.of("cutover"), variablesOf(args, admin));
    const request = requestOf(args, source, pulumi.unsecret(admin));
    const found = orFail(check(args, request, connection.variables));
    const attempt = found.then((known) => attemptOf(config, known));
    this.isPending = found.then((known) => config.state !== "switch" || known?.completed !== true);
    this.shared = { names, config, request, connection, environment: { PGSTACK_ATTEMPT: attempt } };
    // with this one ends the cutover: a stage of a switch also goes when a rehearsal takes its place
    const held = new RunnerCommand(
      names.of("cutover-source"),
      { remove: "cutover-thaw", request, connection },
      { parent: this, dependsOn: [...after] },
    );
    this.copy = config.state === "switch" ? this.#copyFrozen(held) : this.#stage("rehearse", held);
    this.contentGeneration = this.copy.result<{ copyId: unknown }>().apply(({ copyId }) => String(copyId));
    const guarded = config.state === "switch" || config.method === "replicate";
    this.rollback = guarded ? { settings: request, connection } : undefined;
    this.registerOutputs({});
  }

  #copyFrozen(held: pulumi.Resource): RunnerCommand {
    const { method, pgbouncer } = this.shared.config;
    const prepared = method === "replicate" ? this.#stage("prepare", held) : held;
    const paused = pgbouncer ? this.#stage("pause", prepared) : prepared;
    const frozen = this.#stage("freeze", paused);
    const copied = this.#stage("copy", frozen);
    return this.#stage("verify", copied);
  }

  #stage(name: string, after: pulumi.Resource): RunnerCommand {
    return stage(this.shared, name, { parent: this, dependsOn: [after] });
  }
}

export interface SwitchoverArgs {
  readonly cutover: Cutover;
  /** What must be in place before clients come: migrations, grants. */
  readonly after: readonly pulumi.Resource[];
}

/** Sends the clients to the new database, once everything is in place. In state `rehearse` there is nothing to send. */
export class Switchover extends pulumi.ComponentResource {
  readonly output: pulumi.Output<CutoverOutput>;

  constructor(
    name: string,
    { cutover, after }: SwitchoverArgs,
    options: pulumi.ComponentResourceOptions = {},
  ) {
    super("pgstack:index:Switchover", name, {}, options);
    const { shared, copy } = cutover;
    const { state, pgbouncer } = shared.config;
    const active = state === "switch";
    const last = active ? this.#stage("complete", cutover, [copy, ...after]) : copy;
    if (active && pgbouncer) this.#stage("resume", cutover, [last]);
    this.output = last.result<unknown>().apply((record): CutoverOutput => ({ active, record }));
    this.registerOutputs({});
  }

  #stage(name: string, cutover: Cutover, dependsOn: pulumi.Resource[]): RunnerCommand {
    // these two were once children of the cutover itself
    return stage(cutover.shared, name, { parent: this, dependsOn, aliases: [{ parent: cutover }] });
  }
}

function variablesOf(
  { connection, config: { pgbouncer } }: CutoverArgs,
  admin: pulumi.Output<Administrator>,
): Variables {
  return {
    ...connection.variables,
    PGSTACK_SOURCE_PASSWORD: pulumi.secret(admin.apply((one) => one.password ?? "")),
    PGSTACK_SOURCE_PASSWORD_COMMAND: pulumi.secret(admin.apply((one) => one.passwordCommand ?? "")),
    ...(pgbouncer && { PGSTACK_PGBOUNCER_URL: pulumi.secret(pgbouncer.adminUrl) }),
  };
}

/** Asks both sides what stands there, and tells what the operator has to know. Undefined before the first update. */
async function check(
  { config, queries }: CutoverArgs,
  request: pulumi.Output<string>,
  environment: Variables,
): Promise<CutoverCheck | undefined> {
  const settings = await knownValue(request);
  if (settings === undefined) return undefined;
  const question = { settings, wait: !pulumi.runtime.isDryRun(), switching: config.state === "switch" };
  const found = await askRunner<CutoverCheck>(queries, "cutover-check", question, environment);
  if (found === undefined) return undefined;
  if (config.state === "rehearse" && found.held !== null) await pulumi.log.warn(found.held);
  refuse(found.refusals);
  if (found.outOfDate.length > 0) await pulumi.log.warn(outOfDate(found.outOfDate));
  return found;
}

/** Says what cutovers of other stacks mean for this stack's database: who follows it, and where it has moved. */
export async function reportCutovers({ connection, queries }: Pick<CutoverArgs, "connection" | "queries">) {
  const found = await askRunner<readonly string[]>(queries, "cutover-source-check", {}, connection.variables);
  for (const text of found ?? []) await pulumi.log.warn(text);
}

const outOfDate = (differences: readonly string[]) =>
  "The copy is out of date: definitions are not replicated, and those of the source have changed since. Another " +
  `cutover.label copies again; a switch does so before it freezes.\n  ${differences.join("\n  ")}`;

/**
 * A switch has a new one until it is complete, and then the same for good: as long as it is not, every stage is repeated,
 * each in its turn, so that what follows a new copy (migrations, grants) follows it again. A rehearsal keeps the one that
 * the target remembers, save where the source is held, whatever the state of the stack says: then it runs, and ends that.
 */
function attemptOf({ state }: CutoverConfig, found: CutoverCheck | undefined): string {
  if (found === undefined) return state === "switch" ? randomUUID() : "";
  const settled = state === "switch" ? found.completed : found.held === null;
  return settled ? (found.attempt ?? "") : randomUUID();
}

/** A stack's output `admin`. */
interface Administrator {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly passwordCommand?: string | null;
  readonly sslMode: CutoverRequest["source"]["sslMode"];
  /** PEM text. */
  readonly sslRootCert?: string | null;
}

function refuseItself({ from }: CutoverConfig): void {
  if (from === `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`)
    throw new pulumi.RunError(`pgstack:cutover.from: expected another stack, found this one, "${from}"`);
}

function requestOf(
  { names, config, declared, roles }: CutoverArgs,
  source: pulumi.StackReference,
  admin: pulumi.Output<Administrator>,
): pulumi.Output<string> {
  const stack = pulumi.getStack();
  const { from: _, freeze: __, state: ___, label, pgbouncer, ...how } = config;
  return pulumi
    .all([admin, source.requireOutput("database"), source.requireOutput("owner")])
    .apply(([{ host, port, user, sslMode, sslRootCert }, database, owner]) => {
      const settings: CutoverRequest & { label: string | null } = {
        ...how,
        stack,
        source: {
          host,
          port,
          user,
          sslMode,
          database,
          owner,
          sslRootCert: sslRootCert ? keepCertificate(sslRootCert) : undefined,
        },
        owner: declared.owner,
        roles,
        schemas: declared.schemas,
        record: `.pgstack/${stack}/${names.of("cutover")}.json`,
        label: label ?? null,
        ...(pgbouncer && { pgbouncer: { configFile: pgbouncer.configFile } }),
      };
      return JSON.stringify(settings);
    });
}

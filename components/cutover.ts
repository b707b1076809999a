import { randomUUID } from "node:crypto";
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { CutoverCheck } from "../runner/commands/internal/cutover.ts";
import type { CutoverConfig } from "../runner/config/cutover.ts";
import type { DatabaseConfig } from "../runner/config/database.ts";
import type { CutoverSettings } from "../runner/cutover/settings.ts";
import { runner } from "./runner/command.ts";
import { askRunner } from "./runner/query.ts";

export interface CutoverArgs {
  readonly config: CutoverConfig;
  /** The PG* variables of this server's administrator on the stack's database. */
  readonly connection: Readonly<Record<string, pulumi.Input<string>>>;
  readonly declared: DatabaseConfig;
  /** Roles that this stack declares, whose grants are its own matter. */
  readonly roles: readonly string[];
  /** The database that is filled. */
  readonly database: pulumi.Resource;
  /** What must be there first: schemas, extensions, roles. */
  readonly after: readonly pulumi.Resource[];
}

/** What a stack says of its cutover: where clients should go, and what was done. */
export interface CutoverOutput {
  readonly active: boolean;
  /** The move's record (`runner/cutover/record.ts`), or a rehearsal's report (`runner/cutover/rehearse.ts`). */
  readonly record: unknown;
}

/**
 * Another stack's database, moved here. In state `rehearse` one resource copies and compares; in state `switch`
 * the source is frozen, copied and compared (with replication, as much as can be before the freeze), and `handOver`
 * completes the move once everything else is in place. When its resources go, so does the freeze of the source.
 */
export class Cutover extends pulumi.ComponentResource {
  /** Everything has been copied once this is done. */
  readonly filled: local.Command;
  /** Another value after each copy, so that migrations and grants are checked again. */
  readonly epoch: pulumi.Output<string>;
  /** For what runs between the comparison and the hand-over: where it fails, the source is given back at once. */
  readonly guards: pulumi.ResourceTransformation[];
  readonly #args: CutoverArgs;
  readonly #stdin: pulumi.Output<string>;
  readonly #environment: Record<string, pulumi.Input<string>>;
  readonly #attempt: Record<string, pulumi.Input<string>>;

  constructor(name: string, args: CutoverArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:Cutover", name, {}, options);
    this.#args = args;
    refuseItself(args.config);
    const source = new pulumi.StackReference(args.config.from, {}, { parent: this });
    const admin = source.requireOutput("admin") as pulumi.Output<Administrator>;
    const password = pulumi.secret(admin.apply((one) => one.password ?? ""));
    const { pgbouncer } = args.config;
    this.#environment = {
      ...args.connection,
      PGSTACK_SOURCE_PASSWORD: password,
      ...(pgbouncer && { PGSTACK_PGBOUNCER_URL: pulumi.secret(pgbouncer.adminUrl) }),
    };
    this.#attempt = args.config.state === "switch" ? { PGSTACK_ATTEMPT: attemptOf(args) } : {};
    this.#stdin = settingsOf(args, source, pulumi.unsecret(admin));
    // with this one ends the cutover: a stage of a switch also goes when a rehearsal takes its place
    const held = this.#command("source", { delete: runner("cutover-thaw") }, args.after);
    this.filled = args.config.state === "rehearse" ? this.#stage("rehearse", [held]) : this.#switch(held);
    this.epoch = this.filled.stdout.apply((json) => String(JSON.parse(json).copyId));
    // with replication from the first rehearsal on: a switch then finds nothing to be run again under the freeze
    const { state, method } = args.config;
    this.guards = state === "switch" || method === "replicate" ? [this.#guard()] : [];
    this.registerOutputs({});
  }

  /** Sends the clients here after everything of `after`; in state `rehearse` there is nothing to hand over. */
  handOver(after: readonly pulumi.Resource[]): pulumi.Output<CutoverOutput> {
    const active = this.#args.config.state === "switch";
    const last = active ? this.#stage("complete", [this.filled, ...after]) : this.filled;
    if (active && this.#args.config.pgbouncer) this.#stage("resume", [last]);
    return last.stdout.apply((json): CutoverOutput => ({ active, record: JSON.parse(json) }));
  }

  #guard(): pulumi.ResourceTransformation {
    const guarded = (command?: string) => command?.replace(runner(""), runner("cutover-or-back "));
    const cutover = pulumi.secret(
      pulumi.jsonStringify({ settings: this.#stdin, environment: this.#environment }),
    );
    return ({ type, props, opts }) => {
      if (type !== "command:local:Command") return undefined;
      const { create, update, environment } = props as Record<string, string> & { environment: object };
      return {
        props: {
          ...props,
          ...(create && { create: guarded(create) }),
          ...(update && { update: guarded(update) }),
          environment: { ...environment, PGSTACK_CUTOVER: cutover },
        },
        opts,
      };
    };
  }

  #switch(held: pulumi.Resource): local.Command {
    const ready = this.#args.config.method === "replicate" ? this.#stage("prepare", [held]) : held;
    const paused = this.#args.config.pgbouncer ? this.#stage("pause", [ready]) : ready;
    const freeze = this.#stage("freeze", [paused]);
    const copy = this.#stage("copy", [freeze]);
    return this.#stage("verify", [copy]);
  }

  /** A repetition, for whatever reason, does only what is still to be done. */
  #stage(stage: string, after: readonly pulumi.Resource[]): local.Command {
    const run = runner(`cutover-${stage}`);
    return this.#command(stage, { create: run, update: run }, after, this.#attempt);
  }

  #command(
    part: string,
    commands: { create?: string; update?: string; delete?: string },
    after: readonly pulumi.Resource[],
    more: Record<string, pulumi.Input<string>> = {},
  ): local.Command {
    const environment = { ...this.#environment, ...more };
    return new local.Command(
      `cutover-${part}`,
      { ...commands, stdin: this.#stdin, environment, logging: "stderr" },
      { parent: this, dependsOn: [...after] },
    );
  }
}

/**
 * New until the switch is complete, and then the same for good: as long as it is not, every stage is repeated, each
 * in its turn, so that what follows a new copy (migrations, grants) follows it again.
 */
async function attemptOf({ connection }: CutoverArgs): Promise<string> {
  const known = await askRunner<CutoverCheck>("cutover-check", {}, connection);
  return known?.attempt ?? randomUUID();
}

/** A stack's output `admin`. */
interface Administrator {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly sslMode: CutoverSettings["source"]["sslMode"];
  readonly sslRootCert?: string | null;
}

function refuseItself({ from }: CutoverConfig): void {
  if (from === `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`)
    throw new pulumi.RunError(`pgstack:cutover.from: expected another stack, found this one, "${from}"`);
}

function settingsOf(
  { config, declared, roles }: CutoverArgs,
  source: pulumi.StackReference,
  admin: pulumi.Output<Administrator>,
): pulumi.Output<string> {
  const stack = pulumi.getStack();
  const { from: _, freeze: __, state: ___, label, pgbouncer, ...how } = config;
  return pulumi
    .all([admin, source.requireOutput("database"), source.requireOutput("owner")])
    .apply(([{ host, port, user, sslMode, sslRootCert }, database, owner]) => {
      const settings: CutoverSettings & { label: string | null } = {
        ...how,
        stack,
        source: { host, port, user, sslMode, sslRootCert: sslRootCert ?? undefined, database, owner },
        owner: declared.owner,
        roles,
        schemas: declared.schemas,
        record: `.pgstack/${stack}/cutover.json`,
        label: label ?? null,
        ...(pgbouncer && { pgbouncer: { configFile: pgbouncer.configFile } }),
      };
      return JSON.stringify(settings);
    });
}

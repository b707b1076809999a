import * as pulumi from "@pulumi/pulumi";
import type { MigrationSettings } from "../../runner/config/migrations.ts";
import type { RestoreConfig } from "../../runner/config/restore.ts";
import type { RestoreCheckRequest, RestoreOutlook } from "../../runner/restore/preview.ts";
import type { RestoreReport } from "../../runner/restore/report.ts";
import { meanwhile } from "../../runner/util/background.ts";
import { type Connection, RunnerCommand } from "../runner/command.ts";
import { askRunner, knownValue } from "../runner/query.ts";
import type { Queries } from "../runner/query-process.ts";
import { type Connections, withPrevious } from "./connections.ts";
import type { PreviousOutputs } from "./previous-update.ts";
import { refuse } from "./refusal.ts";

export interface RestoreArgs {
  readonly config: RestoreConfig;
  /** What follows on the dump's content; a preview names what that lacks. */
  readonly migrations: MigrationSettings;
  /** Leads the server's administrator to the stack's database. */
  readonly connection: Connection;
  readonly connections: Connections;
  readonly previous: Promise<PreviousOutputs>;
  /** Owns everything afterwards. */
  readonly owner: string;
  /** The database that is filled. */
  readonly database: pulumi.Resource;
  /** What must be there first: schemas, extensions, roles, default privileges. */
  readonly after: readonly pulumi.Resource[];
  readonly queries: Queries;
}

/**
 * The stack's database, filled from a dump. Another `from` or `sha256` restores; the command is repeated when
 * anything else changes, and then leaves the database alone.
 */
export class Restore extends pulumi.ComponentResource {
  readonly report: pulumi.Output<RestoreReport>;
  /** Names the restore. Migrations and grants carry it, so that they are checked again after another one. */
  readonly contentGeneration: string;
  /** Whether the database's contents are still to be replaced. */
  readonly isPending: Promise<boolean>;

  constructor(name: string, args: RestoreArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:Restore", name, {}, options);
    const { config, owner, database, after } = args;
    const connection = withPrevious(
      { ...args, variables: args.connection.variables },
      name,
      ({ restore }) => restore,
    );
    const command = new RunnerCommand(
      `${name}-database`,
      { ensure: "restore-ensure", request: JSON.stringify({ ...config, owner }), connection },
      { parent: this, dependsOn: [...after], deletedWith: database },
    );
    this.report = command.result<RestoreReport>();
    this.contentGeneration = [config.from, config.sha256].filter((part) => part !== undefined).join(" ");
    this.isPending = meanwhile(this.#isPending(args));
    this.registerOutputs({ report: this.report });
  }

  /** Asks whether the restore is to come. A preview says what it will drop and apply, and refuses what `up` would refuse. */
  async #isPending(args: RestoreArgs): Promise<boolean> {
    const { config, owner, migrations, connection, queries } = args;
    const request: RestoreCheckRequest = { restore: { ...config, owner }, migrations };
    const known = (await knownValue(pulumi.output(connection.variables))) ?? {}; // the dump can be looked at before there is a server
    try {
      const outlook = await askRunner<RestoreOutlook | null>(queries, "restore-check", request, known);
      if (outlook && pulumi.runtime.isDryRun())
        for (const line of foretold(config.from, outlook)) void pulumi.log.warn(line, this);
      return outlook !== null;
    } catch (error) {
      if (pulumi.runtime.isDryRun()) refuse([(error as Error).message]); // in an update the restore itself says so
      return true;
    }
  }
}

function foretold(from: string, { serverVersion, tables, lost, missing }: RestoreOutlook): string[] {
  return [
    `The database will be restored from ${from}: ${tables} tables with rows, of PostgreSQL ${serverVersion}.`,
    ...(lost.length > 0 ? [`It will lose, as restore.overwrite agrees: ${lost.join(", ")}`] : []),
    ...(missing.length > 0 ? [`Then migrations that the dump lacks: ${missing.join(", ")}`] : []),
  ];
}

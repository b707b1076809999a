import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { RestoreReport } from "../runner/restore/restore.ts";
import type { RestoreConfig } from "./config/restore.ts";
import { runner } from "./runner.ts";

export interface RestoreArgs {
  readonly config: RestoreConfig;
  /** The PG* variables of the server's administrator on the stack's database. */
  readonly connection: Readonly<Record<string, pulumi.Input<string>>>;
  /** Owns everything afterwards. */
  readonly owner: pulumi.Input<string>;
  /** The database that is filled. */
  readonly database: pulumi.Resource;
  /** What must be there first: schemas, extensions, roles, default privileges. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * The stack's database, filled from a dump. Another `from` or `sha256` restores; the command is repeated when
 * anything else changes, and then leaves the database alone.
 */
export class Restore extends pulumi.ComponentResource {
  readonly report: pulumi.Output<RestoreReport>;
  /** Names the restore. Migrations and grants carry it, so that they are checked again after another one. */
  readonly epoch: string;

  constructor(name: string, args: RestoreArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:Restore", name, {}, options);
    const { config, connection, owner, database, after } = args;
    const command = new local.Command(
      `${name}-database`,
      {
        create: runner("restore-ensure"),
        update: runner("restore-ensure"),
        stdin: pulumi.jsonStringify({ ...config, owner }),
        environment: connection,
        addPreviousOutputInEnv: true,
        logging: "stderr",
      },
      { parent: this, dependsOn: [...after], deletedWith: database },
    );
    this.report = command.stdout.apply((json) => JSON.parse(json) as RestoreReport);
    this.epoch = [config.from, config.sha256].filter((part) => part !== undefined).join(" ");
    this.registerOutputs({ report: this.report });
  }
}

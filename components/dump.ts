import * as pulumi from "@pulumi/pulumi";
import type { DumpConfig } from "../runner/config/dump.ts";
import type { DumpReport } from "../runner/dump/report.ts";
import { RunnerCommand, type Variables } from "./runner/command.ts";

export interface DumpArgs {
  readonly config: DumpConfig;
  /** The PG* variables of a user who may read everything in the stack's database. */
  readonly connection: Variables;
  /** What the dump must hold: roles and a restore, and with `when: after` migrations and grants too. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * A verified dump of the stack's database. A changed label makes another; the command is repeated when anything else
 * changes (a rotated password), and then reports the dump that is there.
 */
export class Dump extends pulumi.ComponentResource {
  readonly report: pulumi.Output<DumpReport>;

  constructor(name: string, args: DumpArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:Dump", name, {}, options);
    const { connection, after } = args;
    const { when: _, ...config } = args.config;
    const command = new RunnerCommand(
      `${name}-database`,
      {
        ensure: "dump-ensure",
        ...(config.onDelete === "delete" && { remove: "dump-delete" }),
        request: JSON.stringify({ stack: pulumi.getStack(), ...config }),
        environment: connection,
      },
      { parent: this, dependsOn: [...after] },
    );
    this.report = command.result<DumpReport>();
    this.registerOutputs({ report: this.report });
  }
}

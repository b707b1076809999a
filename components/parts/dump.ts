import * as pulumi from "@pulumi/pulumi";
import type { DumpConfig } from "../../runner/config/dump.ts";
import type { DumpReport } from "../../runner/dump/report.ts";
import { type Connection, RunnerCommand } from "../runner/command.ts";
import type { Login } from "./connection.ts";
import { type Connections, withPrevious } from "./connections.ts";
import type { PreviousOutputs } from "./previous-update.ts";

export interface DumpArgs {
  readonly config: DumpConfig;
  /** Leads the server's administrator to the stack's database. */
  readonly connection: Connection;
  readonly connections: Connections;
  readonly previous: Promise<PreviousOutputs>;
  /** What the file's name begins with. */
  readonly prefix: string;
  /** Reads what an administrator who is no superuser may not. */
  readonly owner: Pick<Login, "user" | "password">;
  /** What the dump must hold: roles and a restore, and with `when: after` migrations and grants too. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * A verified dump of the stack's database. A changed label makes another; the command is repeated when anything else
 * changes, and then reports the dump that is there.
 */
export class Dump extends pulumi.ComponentResource {
  readonly report: pulumi.Output<DumpReport>;

  constructor(name: string, args: DumpArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:Dump", name, {}, options);
    const { owner, after } = args;
    const variables = {
      ...args.connection.variables,
      PGSTACK_OWNER_USER: owner.user,
      PGSTACK_OWNER_PASSWORD: pulumi.secret(pulumi.output(owner.password).apply((known) => known ?? "")),
    };
    const { when: _, ...config } = args.config;
    const command = new RunnerCommand(
      `${name}-database`,
      {
        ensure: "dump-ensure",
        ...(config.onDelete === "delete" && { remove: "dump-delete" }),
        request: JSON.stringify({ stack: args.prefix, ...config }),
        connection: withPrevious({ ...args, variables }, name, ({ dump }) => dump),
      },
      { parent: this, dependsOn: [...after] },
    );
    this.report = command.result<DumpReport>();
    this.registerOutputs({ report: this.report });
  }
}

import { readStackName, type StackName } from "../../runner/cli/stack-name.ts";
import { stackFlag } from "../../runner/cli/target.ts";
import type { StackCommand } from "../command.ts";
import { readProject, refuseForeign } from "../project.ts";
import { isSet, readPulumiArguments, without } from "../pulumi/flags.ts";
import { consentFor } from "../stack/consent.ts";
import { withPulumi } from "../stack/gateway.ts";
import { runOnStack, type UpdateCommand } from "../stack/update.ts";

const dev: StackName = readStackName("dev");

/** One of Pulumi's four commands on a stack. */
function updateCommand(name: UpdateCommand, summary: string): StackCommand {
  return {
    summary,
    usage: `${name} [STACK] ${name === "up" || name === "preview" ? "[--strict] " : ""}[PULUMI FLAGS]`,
    flags: { stack: { ...stackFlag, about: "the stack (default: dev)" } },
    pulumi: name,
    run: async (args, { log }) => {
      const all = readPulumiArguments(args);
      if (isSet(all, "strict")) process.env.PGSTACK_STRICT = "true"; // components/parts/refusal.ts reads it
      const given = without(all, "strict");
      const stack = given.stack ?? dev;
      const project = readProject();
      refuseForeign(project, stack);
      const yes = name !== "preview" && consentFor(stack, given, `./pgstack ${name} ${stack.given} --yes`);
      return withPulumi(project, stack, log, (pulumi) =>
        runOnStack(pulumi, name, stack, given, { log, yes }),
      );
    },
  };
}

/** Pulumi's commands on a stack, by name. */
export const updateCommands = {
  up: updateCommand("up", "makes the database what the program says: roles, migrations, grants, dumps"),
  preview: updateCommand("preview", "shows what up would do"),
  refresh: updateCommand("refresh", "reads into the stack's state what is really there"),
  destroy: updateCommand("destroy", "removes everything that the stack has made"),
} satisfies Record<UpdateCommand, StackCommand>;

import { readStackName, type StackName } from "../../runner/cli/stack-name.ts";
import { stackFlag } from "../../runner/cli/target.ts";
import type { StackCommand } from "../command.ts";
import { readProject, refuseForeign } from "../project.ts";
import { readPulumiArguments } from "../pulumi/flags.ts";
import { openPulumi } from "../pulumi/pulumi.ts";
import { consentFor } from "../stack/consent.ts";
import { runOnStack, type UpdateCommand } from "../stack/update.ts";

const dev: StackName = readStackName("dev");

/** One of Pulumi's four commands on a stack. */
export function updateCommand(name: UpdateCommand, summary: string): StackCommand {
  return {
    summary,
    usage: `${name} [STACK] [PULUMI FLAGS]`,
    flags: { stack: { ...stackFlag, about: "the stack (default: dev)" } },
    pulumi: name,
    run: async (args, { log }) => {
      const given = readPulumiArguments(args);
      const stack = given.stack ?? dev;
      const project = readProject();
      refuseForeign(project, stack);
      const yes = name !== "preview" && consentFor(stack, given, `./pgstack ${name} ${stack.given} --yes`);
      return runOnStack(openPulumi(project), name, stack, given, { log, yes });
    },
  };
}

import { readStackName, type StackName } from "../../runner/cli/stack-name.ts";
import { stackFlag } from "../../runner/cli/target.ts";
import { RefusedError } from "../../runner/util/errors.ts";
import type { StackCommand } from "../command.ts";
import { readProject, refuseForeign } from "../project.ts";
import { isSet, readPulumiArguments, without } from "../pulumi/flags.ts";
import { consentFor } from "../stack/consent.ts";
import { withPulumi } from "../stack/gateway.ts";
import { runOnStack, type UpdateCommand } from "../stack/update.ts";

/** Flags of ours, as the help text shows them. */
const ownFlags: Readonly<Record<UpdateCommand, string>> = {
  up: "[--strict] [--approved FILE] ",
  preview: "[--strict] ",
  refresh: "",
  destroy: "",
};

const dev: StackName = readStackName("dev");

/** Throws RefusedError where a stack's update would not do what a saved plan says. */
async function refuseUnapproved(
  name: StackName,
  path: string | undefined,
  log: (line: string) => void,
): Promise<void> {
  if (path === undefined) throw new RefusedError("--approved FILE is needed: a plan that plan --save wrote");
  const { readSavedPlan, refuseMoved, savedPlan } = await import("../../runner/plan/approval.ts");
  const { makePlan } = await import("../../runner/plan/plan.ts");
  const { withPlanInput } = await import("../stack/plan-input.ts");
  const saved = readSavedPlan(path);
  await withPlanInput({ name, database: undefined, log }, async (input) =>
    refuseMoved(saved, await savedPlan(input, await makePlan(input)), path),
  );
}

/** One of Pulumi's four commands on a stack. */
function updateCommand(name: UpdateCommand, summary: string): StackCommand {
  return {
    summary,
    usage: `${name} [STACK] ${ownFlags[name]}[PULUMI FLAGS]`,
    flags: { stack: { ...stackFlag, about: "the stack (default: dev)" } },
    pulumi: name,
    run: async (args, { log }) => {
      const all = readPulumiArguments(args);
      if (isSet(all, "strict")) process.env.PGSTACK_STRICT = "true"; // components/parts/refusal.ts reads it
      const given = without(without(all, "strict"), "approved");
      const stack = given.stack ?? dev;
      const project = readProject();
      refuseForeign(project, stack);
      const approved = all.flags.find((flag) => name === "up" && flag.name === "approved");
      if (approved !== undefined) await refuseUnapproved(stack, approved.value, log);
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

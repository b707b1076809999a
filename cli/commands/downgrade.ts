import { parseWords } from "../../runner/cli/arguments.ts";
import downgrade from "../../runner/commands/downgrade.ts";
import type { StackCommand } from "../command.ts";
import { isForStack, moveStack } from "./move.ts";

/** On a database it runs migrations; on a stack it changes `migrations.to` and updates the stack. */
const downgradeAnyTarget: StackCommand = {
  summary: downgrade.summary,
  usage: downgrade.usage,
  flags: downgrade.flags,
  pulumi: "up",
  run: (args, call) =>
    isForStack(args)
      ? moveStack("down", args, call)
      : downgrade.run({ ...call, ...parseWords(downgrade, args) }),
};

export default downgradeAnyTarget;

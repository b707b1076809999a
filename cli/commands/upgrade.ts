import { parseWords } from "../../runner/cli/arguments.ts";
import upgrade from "../../runner/commands/upgrade.ts";
import type { StackCommand } from "../command.ts";
import { isForStack, moveStack } from "./move.ts";

/** On a database it runs migrations; on a stack it changes `migrations.to` and updates the stack. */
const upgradeAnyTarget: StackCommand = {
  summary: upgrade.summary,
  usage: upgrade.usage,
  flags: upgrade.flags,
  pulumi: "up",
  run: (args, call) =>
    isForStack(args) ? moveStack("up", args, call) : upgrade.run({ ...call, ...parseWords(upgrade, args) }),
};

export default upgradeAnyTarget;

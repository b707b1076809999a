import { takeOver } from "../pending-operations.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

const pendingOperations: Verb = {
  summary: "turns a stack's export into one that takes what a killed update was making for made",
  usage: "pending-operations < EXPORT",
  flags: {},
  run: async ({ stdin, print }) => {
    print(JSON.stringify(takeOver(JSON.parse(await stdin()))));
    return ExitCode.done;
  },
};

export default pendingOperations;

import { importFlags } from "../pending-operations.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

const pendingOperations: Verb = {
  summary: "prints, a line each, the flags that let pulumi refresh take over what a killed update was making",
  usage: "pending-operations < EXPORT",
  flags: {},
  run: async ({ stdin, print }) => {
    print(importFlags(JSON.parse(await stdin())).join("\n"));
    return ExitCode.done;
  },
};

export default pendingOperations;

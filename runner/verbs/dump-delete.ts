import { deleteDump, parseDumpSettings } from "../dump/ensure.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

const dumpDelete: Verb = {
  summary: "removes the dump with a label, and its report",
  usage: "dump-delete < SETTINGS",
  flags: {},
  run: async ({ stdin, log }) => {
    for (const path of await deleteDump(parseDumpSettings(await stdin()))) log(`removed ${path}`);
    return ExitCode.done;
  },
};

export default dumpDelete;

import { ensureInstance, parseInstanceSettings } from "../instance/local-instance.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

const instanceEnsure: Verb = {
  summary: "makes and starts a local instance; prints its connection, password included",
  usage: "instance-ensure < SETTINGS",
  flags: {},
  run: async ({ stdin, print }) => {
    print(JSON.stringify(await ensureInstance(parseInstanceSettings(await stdin()))));
    return ExitCode.done;
  },
};

export default instanceEnsure;

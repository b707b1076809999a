import { ensureInstance } from "../instance/local-instance.ts";
import { parseInstanceSettings } from "../instance/settings.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

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

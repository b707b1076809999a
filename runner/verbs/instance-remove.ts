import { removeInstance } from "../instance/local-instance.ts";
import { parseInstanceSettings } from "../instance/settings.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

const instanceRemove: Verb = {
  summary: "stops a local instance and removes its files",
  usage: "instance-remove < SETTINGS",
  flags: {},
  run: async ({ stdin }) => {
    await removeInstance(parseInstanceSettings(await stdin()));
    return ExitCode.done;
  },
};

export default instanceRemove;

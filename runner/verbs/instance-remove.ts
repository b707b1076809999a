import { removeInstance, parseInstanceSettings } from "../instance/local-instance.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

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

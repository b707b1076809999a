import type { Command } from "../../cli/command.ts";
import { ensureInstance, parseInstanceSettings, removeInstance } from "../../instance/local-instance.ts";
import { ExitCode } from "../../util/errors.ts";

const instanceEnsure: Command = {
  summary: "makes and starts a local instance; prints its connection, password included",
  usage: "instance-ensure < SETTINGS",
  flags: {},
  run: async ({ stdin, print, log }) => {
    print(JSON.stringify(await ensureInstance(parseInstanceSettings(await stdin()), log)));
    return ExitCode.done;
  },
};

const instanceRemove: Command = {
  summary: "stops a local instance and removes its files",
  usage: "instance-remove < SETTINGS",
  flags: {},
  run: async ({ stdin, log }) => {
    await removeInstance(parseInstanceSettings(await stdin()), log);
    return ExitCode.done;
  },
};

/** By the name that a resource calls it by. */
export const commands = {
  "instance-ensure": instanceEnsure,
  "instance-remove": instanceRemove,
} satisfies Record<string, Command>;

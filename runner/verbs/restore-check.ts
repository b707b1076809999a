import { connectionFromEnvironment } from "../connection.ts";
import { checkRestore, type RestoreCheckRequest } from "../restore/check.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

const restoreCheck: Verb = {
  summary: "what a preview should know of a restore to come, as JSON; null where there is none",
  usage: "restore-check < REQUEST",
  flags: {},
  run: async ({ stdin, env, print }) => {
    const request = JSON.parse(await stdin()) as RestoreCheckRequest;
    print(JSON.stringify((await checkRestore(connectionFromEnvironment(env), request)) ?? null));
    return ExitCode.done;
  },
};

export default restoreCheck;

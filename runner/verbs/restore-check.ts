import { connectionFromEnvironment } from "../connection.ts";
import { checkRestore, type RestoreCheckRequest } from "../restore/check.ts";
import { ExitCode } from "../user-error.ts";
import type { Question, Verb } from "../verb.ts";

const restoreCheck: Verb = {
  summary: "what a preview should know of a restore to come, as JSON; null where there is none",
  usage: "restore-check < QUESTION",
  flags: {},
  run: async ({ stdin, print }) => {
    const { request, environment } = JSON.parse(await stdin()) as Question<RestoreCheckRequest>;
    print(JSON.stringify((await checkRestore(connectionFromEnvironment(environment), request)) ?? null));
    return ExitCode.done;
  },
};

export default restoreCheck;

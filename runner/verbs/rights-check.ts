import { connectionFromEnvironment } from "../connection.ts";
import { checkRights, type RightsCheckRequest } from "../roles/check.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

const rightsCheck: Verb = {
  summary: "what the admin cannot do of what a stack asks for, and which rights are not as declared, as JSON",
  usage: "rights-check < REQUEST",
  flags: {},
  run: async ({ stdin, env, print }) => {
    const request = JSON.parse(await stdin()) as RightsCheckRequest;
    print(JSON.stringify(await checkRights(connectionFromEnvironment(env), request)));
    return ExitCode.done;
  },
};

export default rightsCheck;

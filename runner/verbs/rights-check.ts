import { connectionFromEnvironment } from "../connection.ts";
import { checkRights, type RightsCheckRequest } from "../roles/check.ts";
import { ExitCode } from "../user-error.ts";
import type { Question, Verb } from "../verb.ts";

const rightsCheck: Verb = {
  summary: "what the admin cannot do of what a stack asks for, and which rights are not as declared, as JSON",
  usage: "rights-check < QUESTION",
  flags: {},
  run: async ({ stdin, print }) => {
    const { request, environment } = JSON.parse(await stdin()) as Question<RightsCheckRequest>;
    print(JSON.stringify(await checkRights(connectionFromEnvironment(environment), request)));
    return ExitCode.done;
  },
};

export default rightsCheck;

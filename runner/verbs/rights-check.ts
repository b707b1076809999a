import { connectionFromEnvironment } from "../connection.ts";
import { questionVerb } from "../question-verb.ts";
import { checkRights, type RightsCheckRequest } from "../roles/check.ts";

export default questionVerb<RightsCheckRequest>(
  "rights-check",
  "what the admin cannot do of what a stack asks for, and which rights are not as declared, as JSON",
  (request, environment) => checkRights(connectionFromEnvironment(environment), request),
);

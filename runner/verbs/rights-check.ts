import { connectionFromEnvironment } from "../postgres/connection.ts";
import { questionVerb } from "../cli/command.ts";
import { checkRights } from "../roles/review/preview.ts";
import type { RightsCheckRequest } from "../roles/plan/declaration.ts";

export default questionVerb<RightsCheckRequest>(
  "rights-check",
  "what the admin cannot do of what a stack asks for, and which rights are not as declared, as JSON",
  (request, environment) => checkRights(connectionFromEnvironment(environment), request),
);

import { connectionFromEnvironment } from "../connection.ts";
import { questionVerb } from "../question-verb.ts";
import { checkRestore, type RestoreCheckRequest } from "../restore/check.ts";

export default questionVerb<RestoreCheckRequest>(
  "restore-check",
  "what a preview should know of a restore to come, as JSON; null where there is none",
  (request, environment) =>
    checkRestore(
      environment.PGHOST === undefined ? undefined : connectionFromEnvironment(environment),
      request,
    ),
);

import { connectionFromEnvironment } from "../postgres/connection.ts";
import { questionVerb } from "../cli/command.ts";
import { checkRestore, type RestoreCheckRequest } from "../restore/preview.ts";

export default questionVerb<RestoreCheckRequest>(
  "restore-check",
  "what a preview should know of a restore to come, as JSON; null where there is none",
  (request, environment) =>
    checkRestore(
      environment.PGHOST === undefined ? undefined : connectionFromEnvironment(environment),
      request,
    ),
);

import { type CheckRequest, checkDatabase } from "../migrations/preview.ts";
import { accessFromEnvironment } from "../migrations/run/session.ts";
import { questionVerb } from "../cli/command.ts";

export default questionVerb<CheckRequest>(
  "migrations-check",
  "what a preview should know of the database's migrations, as JSON",
  (request, environment) => checkDatabase(accessFromEnvironment(environment), request),
);

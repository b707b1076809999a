import { type CheckRequest, checkDatabase } from "../migrations/check.ts";
import { accessFromEnvironment } from "../migrations/session.ts";
import { questionVerb } from "../question-verb.ts";

export default questionVerb<CheckRequest>(
  "migrations-check",
  "what a preview should know of the database's migrations, as JSON",
  (request, environment) => checkDatabase(accessFromEnvironment(environment), request),
);

import { type CheckRequest, checkDatabase } from "../migrations/check.ts";
import { accessFromEnvironment } from "../migrations/session.ts";
import { ExitCode } from "../user-error.ts";
import type { Question, Verb } from "../verb.ts";

const migrationsCheck: Verb = {
  summary: "what a preview should know of the database's migrations, as JSON",
  usage: "migrations-check < QUESTION",
  flags: {},
  run: async ({ stdin, print }) => {
    const { request, environment } = JSON.parse(await stdin()) as Question<CheckRequest>;
    print(JSON.stringify(await checkDatabase(accessFromEnvironment(environment), request)));
    return ExitCode.done;
  },
};

export default migrationsCheck;

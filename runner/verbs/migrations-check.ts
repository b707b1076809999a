import { type CheckRequest, checkDatabase } from "../migrations/check.ts";
import { accessFromEnvironment } from "../migrations/stack.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

const migrationsCheck: Verb = {
  summary: "what a preview should know of the database's migrations, as JSON",
  usage: "migrations-check < REQUEST",
  flags: {},
  run: async ({ stdin, env, print }) => {
    const request = JSON.parse(await stdin()) as CheckRequest;
    print(JSON.stringify(await checkDatabase(accessFromEnvironment(env), request)));
    return ExitCode.done;
  },
};

export default migrationsCheck;

import { isMissingDatabase, withClient } from "../postgres/connection.ts";
import { resolveAdminTarget, targetFlags } from "../cli/target.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

/** What the entry script asks after an update that failed. */
const databaseState: Verb = {
  summary: "whether the server knows the database: there, or absent",
  usage: "database-state --stack S",
  flags: targetFlags,
  run: async (call) => {
    const found = withClient(resolveAdminTarget(call), async () => "there").catch((error: unknown) => {
      if (!isMissingDatabase(error)) throw error;
      return "absent";
    });
    call.print(await found);
    return ExitCode.done;
  },
};

export default databaseState;

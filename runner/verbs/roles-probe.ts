import { connectionFromEnvironment } from "../postgres/connection.ts";
import { questionVerb } from "../cli/command.ts";
import type { ProbedRole } from "../roles/plan/declaration.ts";
import { readProbed } from "../roles/probe/probe.ts";
import { proveRole } from "../roles/probe/prove.ts";
import { UserError } from "../util/errors.ts";

interface Request {
  readonly settings: ProbedRole;
  /** PG* variables that lead to the database as the role. */
  readonly environment: Readonly<Record<string, string>>;
}

export default questionVerb<Request[]>(
  "roles-probe",
  "proves several roles one after the other, by a connection of each; prints what could not be tried",
  async (request) => {
    let objects: ReturnType<typeof readProbed> | undefined;
    const read: typeof readProbed = (client) => (objects ??= readProbed(client));
    const [warnings, faults]: [string[], string[]] = [[], []];
    for (const { settings, environment } of request)
      await proveRole(
        connectionFromEnvironment(environment),
        settings,
        (line) => warnings.push(line),
        read,
      ).catch((error: unknown) => {
        if (!(error instanceof UserError)) throw error;
        faults.push(error.message);
      });
    if (faults.length > 0) throw new UserError(faults.join("\n"));
    return warnings;
  },
);

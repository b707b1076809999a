import { connectionFromEnvironment, withClient } from "../postgres/connection.ts";
import { withMovedOpen } from "../cutover/freeze/write-block.ts";
import { readDeclaration } from "../roles/plan/declaration.ts";
import { retireRole } from "../roles/plan/drop-role.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

const roleRetire: Verb = {
  summary: "gives what a role owns to the database's owner and revokes its rights, before it is dropped",
  usage: "role-retire < declaration",
  flags: {},
  run: async ({ env, stdin, log }) => {
    const { role, owner } = readDeclaration<{ role: string; owner: string }>(await stdin(), [
      "role",
      "owner",
    ]);
    const found = await withClient(connectionFromEnvironment(env), (client) =>
      withMovedOpen(client, () => retireRole(client, role, owner)),
    );
    if (found) log(`Role "${role}": what it owned is "${owner}"'s now`);
    return ExitCode.done;
  },
};

export default roleRetire;

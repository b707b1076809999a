import { connectionFromEnvironment, withClient } from "../connection.ts";
import { withMovedOpen } from "../cutover/moved.ts";
import { readDeclaration } from "../roles/declaration.ts";
import { retireRole } from "../roles/retire.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

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

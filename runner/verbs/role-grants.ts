import { connectionFromEnvironment, withClient } from "../connection.ts";
import { applyRights } from "../roles/apply.ts";
import { type RightsDeclaration, readDeclaration, rightsMembers } from "../roles/declaration.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

const roleGrants: Verb = {
  summary: "gives roles exactly the rights they are declared to have, and PUBLIC none of them",
  usage: "role-grants < declaration",
  flags: {},
  run: async ({ env, stdin, print, log }) => {
    const declaration = readDeclaration<RightsDeclaration>(await stdin(), rightsMembers);
    const statements = await withClient(connectionFromEnvironment(env), (client) =>
      applyRights(client, declaration),
    );
    for (const sql of statements) log(sql.length > 200 ? `${sql.slice(0, 200)} …` : sql);
    print(JSON.stringify({ statements: statements.length }));
    return ExitCode.done;
  },
};

export default roleGrants;

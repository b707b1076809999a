import { connectionFromEnvironment, withClient } from "../postgres/connection.ts";
import { applyRights } from "../roles/plan/apply.ts";
import { type RightsDeclaration, readDeclaration, rightsMembers } from "../roles/plan/declaration.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

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

import { connectionFromEnvironment, withClient } from "../connection.ts";
import { applyPlan, planRole } from "../roles/apply.ts";
import { type RoleDeclaration, readDeclaration, roleMembers } from "../roles/declaration.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

const roleGrants: Verb = {
  summary: "gives a role exactly the rights it is declared to have, on what exists and what comes",
  usage: "role-grants < declaration",
  flags: {},
  run: async ({ env, stdin, print, log }) => {
    const declaration = readDeclaration<RoleDeclaration>(await stdin(), roleMembers);
    const applied = await withClient(connectionFromEnvironment(env), (client) =>
      applyPlan(client, () => planRole(client, declaration)),
    );
    for (const sql of applied.statements) log(sql.length > 200 ? `${sql.slice(0, 200)} …` : sql);
    print(JSON.stringify({ statements: applied.statements.length }));
    return ExitCode.done;
  },
};

export default roleGrants;

import { connectionFromEnvironment, withClient } from "../connection.ts";
import { applyPlan, planPublic } from "../roles/apply.ts";
import { type PublicDeclaration, readDeclaration } from "../roles/declaration.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

const publicGrants: Verb = {
  summary: "takes from PUBLIC what lets any role make objects or run functions with their owner's rights",
  usage: "public-grants < declaration",
  flags: {},
  run: async ({ env, stdin, print, log }) => {
    const declaration = readDeclaration<PublicDeclaration>(await stdin(), ["owner", "creators"]);
    const applied = await withClient(connectionFromEnvironment(env), (client) =>
      applyPlan(client, () => planPublic(client, declaration)),
    );
    for (const sql of applied.statements) log(sql.length > 200 ? `${sql.slice(0, 200)} …` : sql);
    print(JSON.stringify({ statements: applied.statements.length }));
    return ExitCode.done;
  },
};

export default publicGrants;

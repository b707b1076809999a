import { connectionFromEnvironment } from "../postgres/connection.ts";
import { type ProbedRole, readDeclaration, roleMembers } from "../roles/plan/declaration.ts";
import { proveRole } from "../roles/probe/prove.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

const roleProbe: Verb = {
  summary: "proves, connected as a role, what it can do and cannot",
  usage: "role-probe < declaration",
  flags: {},
  run: async ({ env, stdin, print, log }) => {
    const settings = readDeclaration<ProbedRole>(await stdin(), [
      ...roleMembers,
      "memberOf",
      "validUntil",
      "byAdmin",
    ]);
    const proof = await proveRole(connectionFromEnvironment(env), settings, log);
    print(JSON.stringify({ ...proof, at: Date.now() }));
    return ExitCode.done;
  },
};

export default roleProbe;

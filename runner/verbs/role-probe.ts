import type pg from "pg";
import { connectionFromEnvironment, describe, withClient } from "../connection.ts";
import { type ProbedRole, readDeclaration, roleMembers } from "../roles/declaration.ts";
import { type Probe, probeRole } from "../roles/probe.ts";
import { ExitCode, UserError } from "../user-error.ts";
import type { Verb } from "../verb.ts";

/**
 * Why the role could not log in through no fault of its rights: all its connections are in use, or the server takes
 * it from other hosts only.
 */
function excuse(error: unknown): string | undefined {
  const { code, message } = ((error as Error).cause ?? {}) as pg.DatabaseError;
  return code === "53300" || /no pg_hba\.conf entry/.test(message ?? "") ? message : undefined;
}

async function probe(settings: ProbedRole, env: NodeJS.ProcessEnv): Promise<Probe | { unprobed: string }> {
  if (!settings.byAdmin && Date.parse(settings.validUntil) <= Date.now())
    return { unprobed: `its password counts no longer (validUntil ${settings.validUntil})` };
  try {
    return await withClient(connectionFromEnvironment(env), (client) => probeRole(client, settings));
  } catch (error) {
    const reason = excuse(error);
    if (reason === undefined) throw error;
    return { unprobed: reason };
  }
}

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
    const result = await probe(settings, env);
    if ("unprobed" in result) {
      log(`warning: role "${settings.role}" was not probed: ${result.unprobed}`);
    } else if (result.faults.length > 0) {
      throw new UserError(
        `Role "${settings.role}" is declared ${settings.access} in ${describe(connectionFromEnvironment(env))}, but it\n  ` +
          `${result.faults.join("\n  ")}\nWhat a role holds beyond its grants comes from PUBLIC or from roles it is a member of: ` +
          `./pgstack roles shows which.`,
      );
    }
    print(JSON.stringify(result));
    return ExitCode.done;
  },
};

export default roleProbe;

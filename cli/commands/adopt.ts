import { parseWords } from "../../runner/cli/arguments.ts";
import type { Call } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import adopt from "../../runner/commands/adopt.ts";
import { connectionFromUrl } from "../../runner/postgres/connection.ts";
import { ExitCode, RefusedError } from "../../runner/util/errors.ts";
import type { StackCommand } from "../command.ts";
import { readProject, refuseForeign } from "../project.ts";
import { openPulumi, type Pulumi } from "../pulumi/pulumi.ts";
import { createStack, readFacts, setSecret, stackExists } from "../stack/stack.ts";

/** The administrator's password, which the stack needs. Throws RefusedError where the address has none. */
function passwordOf({ flags, env }: Pick<Call, "flags" | "env">): string {
  const { password } = connectionFromUrl(String(flags.url ?? ""), env);
  if (password === undefined || password === "")
    throw new RefusedError(
      "Expected the administrator's password in --url or in PGPASSWORD, found none: the stack logs in with it. Nothing was made.",
    );
  return password;
}

/** @returns whether the stack exists; it has no outputs then */
async function refuseManaged(pulumi: Pulumi, name: StackName): Promise<boolean> {
  if (!(await stackExists(pulumi, name))) return false;
  const { outputs } = await readFacts(pulumi, name);
  if (Object.keys(outputs).length > 0)
    throw new RefusedError(`stack "${name.stack}" manages a database already: choose another name`);
  return true;
}

/** Writes the configuration, then the stack with the administrator's password, which never is on a command line of Pulumi's. */
const adoptStack: StackCommand = {
  summary: adopt.summary,
  usage: adopt.usage,
  flags: adopt.flags,
  run: async (args, surroundings) => {
    const { stack: name, ...parsed } = parseWords(adopt, args);
    const call = { ...surroundings, ...parsed };
    if (name === undefined || call.flags.url === undefined) return adopt.run(call); // which says what it expects
    const password = passwordOf(call);
    const project = readProject();
    refuseForeign(project, name);
    const pulumi = openPulumi(project);
    const exists = await refuseManaged(pulumi, name);
    const code = await adopt.run(call);
    if (code !== ExitCode.done) return code;
    if (!exists) await createStack(pulumi, name, call.log);
    await setSecret(pulumi, name, "pgstack:adminPassword", password);
    return ExitCode.done;
  },
};

export default adoptStack;

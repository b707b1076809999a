import { readDeclaration } from "../roles/plan/declaration.ts";
import { generatePassword } from "../roles/password.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

const passwordGenerate: Verb = {
  summary: "prints a new password, or the one of the run before where the version is the same",
  usage: "password-generate < settings",
  flags: {},
  run: async ({ env, stdin, print }) => {
    const { passwordVersion } = readDeclaration<{ passwordVersion: number }>(await stdin(), [
      "passwordVersion",
    ]);
    print(JSON.stringify(generatePassword(passwordVersion, env.PULUMI_COMMAND_STDOUT)));
    return ExitCode.done;
  },
};

export default passwordGenerate;

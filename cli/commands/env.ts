import { ExitCode } from "../../runner/util/errors.ts";
import type { StackCommand } from "../command.ts";
import { readProject } from "../project.ts";
import { pulumiSetting } from "../pulumi/environment.ts";

/** For a shell: nothing in the text has a meaning of its own. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

const env: StackCommand = {
  summary: 'exports for plain pulumi: eval "$(./pgstack env)"',
  usage: "env",
  flags: {},
  run: async (_, { print }) => {
    for (const [name, value] of Object.entries(pulumiSetting(readProject()).environment))
      print(`export ${name}=${quoted(value)}`);
    return ExitCode.done;
  },
};

export default env;

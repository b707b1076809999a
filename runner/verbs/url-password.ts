import { connectionFromUrl } from "../postgres/connection.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

const urlPassword: Verb = {
  summary:
    "prints the password of the URL in PGSTACK_URL, or PGPASSWORD, for a program that keeps it as a secret",
  usage: "url-password, with PGSTACK_URL in the environment",
  flags: {},
  run: async ({ env, print }) => {
    const { password } = connectionFromUrl(env.PGSTACK_URL ?? "", env);
    if (password === undefined) throw new RefusedError("--url has no password, and PGPASSWORD is not set");
    print(password);
    return ExitCode.done;
  },
};

export default urlPassword;

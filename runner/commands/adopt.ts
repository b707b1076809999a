import { propose } from "../adopt/proposal.ts";
import { readInstance } from "../adopt/read-instance.ts";
import { stackFile, writeStackFile } from "../adopt/stack-file.ts";
import type { Command } from "../cli/command.ts";
import { targetFlags } from "../cli/target.ts";
import { connectionFromUrl, withClient } from "../postgres/connection.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";

const adopt: Command = {
  summary: "writes the configuration of a stack that takes over a database as it is",
  usage: "adopt --url URL --stack S",
  flags: targetFlags,
  stackWord: 0,
  run: async ({ flags: { url, stack }, env, print }) => {
    if (typeof url !== "string" || typeof stack !== "string")
      throw new RefusedError(
        "Expected --url URL (as the server's administrator, of the application's database) and --stack S",
      );
    const settings = connectionFromUrl(url, env);
    const { config, remarks } = propose(
      await withClient(settings, (client) => readInstance(client, settings)),
    );
    const copy = writeStackFile(stack, config);
    print(`${stackFile(stack)} is written${copy === undefined ? "" : `; the one before is ${copy}`}`);
    if (remarks.length > 0) print("What it cannot say:");
    for (const remark of remarks) print(`- ${remark}`);
    print(
      `Next: ./pgstack preview ${stack}, which shows imports only; then up, and docs/adopting.md says how to continue.`,
    );
    return ExitCode.done;
  },
};

export default adopt;

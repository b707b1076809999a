import * as v from "valibot";
import type { Command } from "../../cli/command.ts";
import { ExitCode } from "../../util/errors.ts";
import { forgetVariables, newKey } from "../../util/kept-variables.ts";
import { parseRequest } from "../../util/request.ts";

const Request = v.object({
  stack: v.pipe(v.string("a stack's name"), v.regex(/^[\w.-]+$/, "a stack's name")),
});

const connectionKey: Command = {
  summary: "prints a new key for the file that keeps a stack's ways to its server",
  usage: "connection-key < STACK",
  flags: {},
  run: async ({ print }) => {
    print(JSON.stringify({ key: newKey() }));
    return ExitCode.done;
  },
};

const connectionForget: Command = {
  summary: "removes the files that keep a stack's ways to its server",
  usage: "connection-forget < STACK",
  flags: {},
  run: async ({ stdin }) => {
    forgetVariables(parseRequest(Request, await stdin(), "a stack").stack);
    return ExitCode.done;
  },
};

/** By the name that a resource calls it by. */
export const commands = {
  "connection-key": connectionKey,
  "connection-forget": connectionForget,
} satisfies Record<string, Command>;

import type { Call, Command } from "../../cli/command.ts";
import { ExitCode, UserError } from "../../util/errors.ts";

async function load({ internal }: Call, name: string): Promise<Command> {
  const found = await internal(name);
  if (found === undefined) throw new UserError(`Expected an internal command to ask, found "${name}".`);
  return found;
}

async function ask(call: Call, name: string, question: string): Promise<{ answer: unknown }> {
  const printed: string[] = [];
  const print = (text: string) => printed.push(text);
  await (await load(call, name)).run({ ...call, words: [], stdin: async () => question, print });
  return { answer: JSON.parse(printed.join("\n")) };
}

function errorOf(error: unknown): { error: string } {
  return { error: error instanceof UserError ? error.message : String((error as Error).stack) };
}

async function answerLine(call: Call, line: string): Promise<void> {
  const [, id, name = "", question = ""] = /^(\d+) (\S+) (.*)$/s.exec(line) ?? [];
  const result = await ask(call, name, question).catch(errorOf);
  call.print(JSON.stringify({ id: Number(id), ...result }));
}

const serve: Command = {
  summary:
    "answers what a stack's program asks, each question as soon as it can; loads the named commands first",
  usage: "serve COMMAND… < LINES, each: NUMBER COMMAND QUERY",
  flags: {},
  run: async (call) => {
    await Promise.all(call.words.map((name) => load(call, name)));
    const open: Promise<void>[] = [];
    for await (const line of call.lines()) open.push(answerLine(call, line));
    await Promise.all(open);
    return ExitCode.done;
  },
};

/** By the name that a resource calls it by. */
export const commands = { serve } satisfies Record<string, Command>;

import { ExitCode, UserError } from "../util/errors.ts";
import type { Call, Verb } from "../cli/command.ts";
import { resourceVerbs } from "../commands/index.ts";

async function load(name: string): Promise<Verb> {
  const found = resourceVerbs[name];
  if (found === undefined) throw new UserError(`There is no verb "${name}" to ask.`);
  return (await found()).default;
}

async function ask(call: Call, name: string, question: string): Promise<{ answer: unknown }> {
  const printed: string[] = [];
  const print = (text: string) => printed.push(text);
  await (await load(name)).run({ ...call, words: [], stdin: async () => question, print });
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

const answers: Verb = {
  summary:
    "answers what a stack's program asks, each question as soon as it can; loads the named verbs first",
  usage: "answers VERB… < LINES, each: NUMBER VERB QUESTION",
  flags: {},
  run: async (call) => {
    await Promise.all(call.words.map(load));
    const open: Promise<void>[] = [];
    for await (const line of call.lines()) open.push(answerLine(call, line));
    await Promise.all(open);
    return ExitCode.done;
  },
};

export default answers;

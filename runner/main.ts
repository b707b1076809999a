import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { ExitCode, RefusedError, UserError } from "./user-error.ts";
import type { Call, Verb } from "./verb.ts";
import { resourceVerbs, verbs } from "./verbs.ts";

function known(): string {
  return `Known: ${Object.keys(verbs).join(", ")}; ./pgstack help says what each does.`;
}

/** Every verb with its summary, for `./pgstack help`. */
async function help(): Promise<ExitCode> {
  const all = await Promise.all(Object.values(verbs).map(async (load) => (await load()).default));
  process.stdout.write(`${all.map(({ usage, summary }) => `  ${usage}\n      ${summary}`).join("\n")}\n`);
  return ExitCode.done;
}

function parse(verb: Verb, args: string[]): Pick<Call, "flags" | "words"> {
  try {
    const parsed = parseArgs({ args, options: verb.flags, allowPositionals: true, strict: true });
    return { flags: parsed.values, words: parsed.positionals };
  } catch (error) {
    throw new RefusedError(`${(error as Error).message}\nUsage: ./pgstack ${verb.usage}`, { cause: error });
  }
}

async function run(args: string[]): Promise<ExitCode> {
  const [name = "", ...rest] = args;
  if (name === "help") return help();
  const load = verbs[name] ?? resourceVerbs[name];
  if (load === undefined) throw new RefusedError(`Expected a verb, found "${name}". ${known()}`);
  const verb = (await load()).default;
  return verb.run({
    ...parse(verb, rest),
    env: process.env,
    stdin: () => text(process.stdin),
    print: (line) => process.stdout.write(`${line}\n`),
    log: (line) => process.stderr.write(`${line}\n`),
    terminal: process.stderr.isTTY === true,
  });
}

/** The one place that ends the process: mistakes print plainly, bugs with their stack. */
try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  const mistake = error instanceof UserError;
  process.stderr.write(`${mistake ? `error: ${error.message}` : ((error as Error).stack ?? error)}\n`);
  process.exitCode = mistake ? error.exitCode : ExitCode.failed;
}

import { enableCompileCache } from "node:module";
import { text } from "node:stream/consumers";
import { parseWords } from "./cli/arguments.ts";
import { commands, internalCommand } from "./commands/index.ts";
import { ExitCode, RefusedError, UserError } from "./util/errors.ts";
import { linesOf } from "./util/lines.ts";

enableCompileCache(); // commands load only after this: compiled and stripped of types once, then kept

function known(): string {
  return `Known: ${Object.keys(commands).join(", ")}; ./pgstack help says what each does.`;
}

/** Every command with its summary, for `./pgstack help`. */
async function help(): Promise<ExitCode> {
  const all = await Promise.all(Object.values(commands).map((load) => load()));
  process.stdout.write(`${all.map(({ usage, summary }) => `  ${usage}\n      ${summary}`).join("\n")}\n`);
  return ExitCode.done;
}

async function run(args: string[]): Promise<ExitCode> {
  const [name = "", ...rest] = args;
  if (name === "help") return help();
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  const command = load === undefined ? await internalCommand(name) : await load();
  if (command === undefined) throw new RefusedError(`Expected a command, found "${name}". ${known()}`);
  return command.run({
    ...parseWords(command, rest),
    internal: internalCommand,
    env: process.env,
    stdin: () => text(process.stdin),
    lines: () => linesOf(process.stdin),
    print: (line) => process.stdout.write(`${line}\n`),
    log: (line) => process.stderr.write(`${line}\n`),
    terminal: process.stderr.isTTY === true,
  });
}

/** Whoever reads the output may be gone before the end: the work goes on, and ends as it would. */
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });

/** The one place that ends the process: mistakes print plainly, bugs with their stack. */
try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  const mistake = error instanceof UserError;
  process.stderr.write(`${mistake ? `error: ${error.message}` : ((error as Error).stack ?? error)}\n`);
  process.exitCode = mistake ? error.exitCode : ExitCode.failed;
}

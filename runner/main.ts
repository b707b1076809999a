import { enableCompileCache } from "node:module";
import { boundedLog } from "./cli/bounded-log.ts";
import type { Call, Command } from "./cli/command.ts";
import { runProcess, surroundings } from "./cli/run-process.ts";
import { commands, internalCommand } from "./commands/index.ts";
import { type ExitCode, RefusedError } from "./util/errors.ts";
import { withKeptVariables } from "./util/kept-variables.ts";

enableCompileCache(); // commands load only after this: compiled and stripped of types once, then kept

/** A command that resources run, or one that people type; those of stacks belong to `cli/` and are not known here. */
async function find(name: string): Promise<Command> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  const command = load === undefined ? await internalCommand(name) : await load();
  if (command !== undefined) return command;
  throw new RefusedError(
    `Expected a command, found "${name}". Known: ${Object.keys(commands).join(", ")}; ./pgstack help says what each does.`,
  );
}

/** Without flags to sort there is nothing to load: resources start this program often. */
async function wordsOf(command: Command, args: readonly string[]): Promise<Pick<Call, "flags" | "words">> {
  if (Object.keys(command.flags).length === 0) return { flags: {}, words: args };
  return (await import("./cli/arguments.ts")).parseWords(command, args);
}

/** Commands of resources are told the way to the server so; the state keeps what they log. */
const isResource = surroundings.env.PGSTACK_CONNECTION !== undefined;

await runProcess(async (): Promise<ExitCode> => {
  const [name = "", ...args] = process.argv.slice(2);
  const command = await find(name);
  const { log, end } = isResource ? boundedLog(surroundings.log) : { log: surroundings.log, end: () => {} };
  try {
    const env = withKeptVariables(surroundings.env);
    return await command.run({
      ...surroundings,
      ...(await wordsOf(command, args)),
      env,
      log,
      internal: internalCommand,
    });
  } finally {
    end();
  }
});

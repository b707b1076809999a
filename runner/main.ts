import { enableCompileCache } from "node:module";
import type { Call, Command } from "./cli/command.ts";
import { runProcess, surroundings } from "./cli/run-process.ts";
import { commands, internalCommand } from "./commands/index.ts";
import { type ExitCode, RefusedError } from "./util/errors.ts";

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

await runProcess(async (): Promise<ExitCode> => {
  const [name = "", ...args] = process.argv.slice(2);
  const command = await find(name);
  return command.run({ ...surroundings, ...(await wordsOf(command, args)), internal: internalCommand });
});

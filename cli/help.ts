import { parserOf } from "../runner/cli/arguments.ts";
import { ExitCode, RefusedError } from "../runner/util/errors.ts";
import { type Described, describeCommand, names } from "./all-commands.ts";

/** Throws RefusedError for a command that nobody knows. */
export function unknownCommand(name: string): RefusedError {
  return new RefusedError(
    `Expected a command, found "${name}". Known: ${names.join(", ")}; ./pgstack help says what each does.`,
  );
}

/** Every command with its form and its summary. */
async function listText(): Promise<string> {
  const all = await Promise.all(names.map(describeCommand));
  const lines = all.flatMap((one) => (one === undefined ? [] : [`  ${one.usage}`, `      ${one.summary}`]));
  return lines.join("\n");
}

/** What a command does, how it is called, and each of its flags. */
export function commandText(command: Described): string {
  const parser = parserOf({ ...command, run: async () => ExitCode.done });
  const text = parser.helpInformation().replace("Usage: ", "Usage: ./pgstack ").trimEnd();
  return command.pulumi === undefined
    ? text
    : `${text}\n\nOn a stack, further flags go to pulumi: pulumi ${command.pulumi} --help`;
}

/** Prints the list of commands, or all about one. Throws RefusedError where there is none of that name. */
export async function help(print: (line: string) => void, name?: string): Promise<ExitCode> {
  if (name === undefined) {
    print("usage: ./pgstack COMMAND; ./pgstack COMMAND --help says more\n");
    print(await listText());
    return ExitCode.done;
  }
  const command = await describeCommand(name);
  if (command === undefined) throw unknownCommand(name);
  print(commandText(command));
  return ExitCode.done;
}

import { globSync } from "node:fs";
import { ExitCode } from "../runner/util/errors.ts";
import { describeCommand, names } from "./all-commands.ts";
import { readProject } from "./project.ts";

function stacks(): string[] {
  const files = globSync("Pulumi.*.yaml", { cwd: readProject().root });
  return files.map((file) => file.slice("Pulumi.".length, -".yaml".length)).sort();
}

/** What may stand in place of the last of these words. */
async function candidates(words: readonly string[]): Promise<readonly string[]> {
  if (words.length <= 1) return [...names, "help"];
  if (words[0] === "help") return names;
  const flags = (await describeCommand(words[0] as string))?.flags ?? {};
  if (words.at(-1)?.startsWith("-")) return [...Object.keys(flags).map((name) => `--${name}`), "--help"];
  return "stack" in flags ? stacks() : [];
}

/** Prints what a shell may complete the last of these words to, one a line: commands, flags or stacks. */
export async function complete(words: readonly string[], print: (line: string) => void): Promise<ExitCode> {
  const fitting = (await candidates(words)).filter((one) => one.startsWith(words.at(-1) ?? ""));
  if (fitting.length > 0) print(fitting.join("\n"));
  return ExitCode.done;
}

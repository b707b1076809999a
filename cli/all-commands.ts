import type { Command } from "../runner/cli/command.ts";
import { commands as runnerCommands } from "../runner/commands/index.ts";
import type { StackCommand } from "./command.ts";
import { stackCommands } from "./commands/index.ts";

/** What the help text and completion know of a command. */
export type Described = Pick<StackCommand, "summary" | "usage" | "flags" | "pulumi">;

/** Pulumi's commands come first, in the order in which they are used; the others by name. */
const first = ["up", "preview", "refresh", "destroy"];
const others = new Set([...Object.keys(runnerCommands), ...Object.keys(stackCommands)]);

/** The names of all commands that people type. */
export const names: readonly string[] = [
  ...first,
  ...[...others].filter((name) => !first.includes(name)).sort(),
];

const loaderOf = <T>(from: Readonly<Record<string, () => Promise<T>>>, name: string) =>
  Object.hasOwn(from, name) ? from[name] : undefined;

/** A command on stacks; undefined where there is none of that name. */
export async function findStackCommand(name: string): Promise<StackCommand | undefined> {
  return loaderOf(stackCommands, name)?.();
}

/** A command of the runner; undefined where there is none of that name. */
export async function findRunnerCommand(name: string): Promise<Command | undefined> {
  return loaderOf(runnerCommands, name)?.();
}

/** A command of either kind, for texts about it. */
export async function describeCommand(name: string): Promise<Described | undefined> {
  return (await findStackCommand(name)) ?? (await findRunnerCommand(name));
}

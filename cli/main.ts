import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import type { Call, Command, StackFacts } from "../runner/cli/command.ts";
import { runProcess, surroundings } from "../runner/cli/run-process.ts";
import { internalCommand } from "../runner/commands/index.ts";
import { ExitCode } from "../runner/util/errors.ts";
import { packageRoot } from "../runner/util/project.ts";
import { findRunnerCommand, findStackCommand } from "./all-commands.ts";

enableCompileCache(); // commands load only after this: compiled and stripped of types once, then kept

type Gateway = typeof import("./stack/gateway.ts");

const call: Omit<Call, "flags" | "words"> = { ...surroundings, internal: internalCommand };

/** Runs a command on a stack's database, by the tunnels that lead there. */
async function runByTunnels(command: Command, call: Call, { openTunnelsOf }: Gateway): Promise<ExitCode> {
  await using _tunnels = await openTunnelsOf(call.facts as StackFacts, call.log);
  return await command.run(call);
}

/** Runs a command of the runner; the stack that it names is looked up first. */
async function runOnTarget(command: Command, args: readonly string[]): Promise<ExitCode> {
  const { parseWords } = await import("../runner/cli/arguments.ts");
  const { flags, words, stack } = parseWords(command, args);
  if (stack === undefined || flags.url !== undefined) return command.run({ ...call, flags, words });
  const database = typeof flags.database === "string" ? flags.database : undefined;
  const { lookUp } = await import("./stack/look-up.ts");
  const facts = await lookUp(stack, call.log, database);
  // where `await using` stands, tsc leaves the names of imported files as they are
  return runByTunnels(command, { ...call, flags, words, facts }, await import("./stack/gateway.ts"));
}

/** Whether the user asks for the help text; what follows `--` is for another program. */
function asksForHelp(args: readonly string[]): boolean {
  const dashes = args.indexOf("--");
  return args.slice(0, dashes < 0 ? args.length : dashes).some((word) => word === "--help" || word === "-h");
}

function version(): ExitCode {
  const { name, version: number } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as {
    name: string;
    version: string;
  };
  call.print(`${name} ${number}`);
  return ExitCode.done;
}

async function run([name = "help", ...args]: readonly string[]): Promise<ExitCode> {
  if (name === "--version" || name === "-V") return version();
  if (name === "complete-words") return (await import("./complete.ts")).complete(args, call.print);
  if (name === "ci-report") return (await import("./ci/report.ts")).ciReport(args, call);
  const isHelp = ["help", "--help", "-h"].includes(name);
  if (isHelp || asksForHelp(args))
    return (await import("./help.ts")).help(call.print, isHelp ? args[0] : name);
  const onStack = await findStackCommand(name);
  if (onStack !== undefined) return onStack.run(args, call);
  const command = await findRunnerCommand(name);
  if (command !== undefined) return runOnTarget(command, args);
  const internal = await internalCommand(name);
  if (internal === undefined) throw (await import("./help.ts")).unknownCommand(name);
  return internal.run({ ...call, flags: {}, words: args });
}

await runProcess(() => run(process.argv.slice(2)));

import type { Call, Command } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { type ExitCode, RefusedError } from "../../runner/util/errors.ts";
import { readProject, refuseForeign } from "../project.ts";
import { type PulumiArguments, readPulumiArguments } from "../pulumi/flags.ts";
import type { Pulumi } from "../pulumi/pulumi.ts";
import { consentFor } from "../stack/consent.ts";
import { withPulumi } from "../stack/gateway.ts";
import { startStopped } from "../stack/local-instance.ts";
import { readFacts, setConfig } from "../stack/stack.ts";
import { runOnStack } from "../stack/update.ts";

type Surroundings = Omit<Call, "flags" | "words">;

/** The value of `migrations.to` that a revision means on the stack at present. Throws RefusedError. */
async function targetOf(
  pulumi: Pulumi,
  name: StackName,
  words: readonly string[],
  surroundings: Surroundings,
): Promise<string> {
  const command = (await surroundings.internal("migrations-target")) as Command;
  const facts = await readFacts(pulumi, name);
  if (facts.component !== undefined)
    throw new RefusedError(
      `The migrations of database "${facts.component}" are configured in the program: set migrations.to there, then run pulumi up.`,
    );
  const printed: string[] = [];
  const print = (line: string) => printed.push(line);
  await command.run({ ...surroundings, facts, words, print, flags: { stack: name.stack } });
  return printed.join("");
}

/** Whether the call is for a stack: it names one, and no URL. */
export function isForStack(args: readonly string[]): boolean {
  const { stack, flags } = readPulumiArguments(args, 1);
  return stack !== undefined && !flags.some(({ name }) => name === "url");
}

function revisionOf(
  { words: [word] }: PulumiArguments,
  direction: "up" | "down",
  { given }: StackName,
): string {
  if (word !== undefined) return word;
  if (direction === "up") return "latest";
  throw new RefusedError(`expected one revision to go back to: ./pgstack downgrade REV --stack ${given}`);
}

/** Sets the stack's `migrations.to`, and `pulumi up` follows: state and database cannot disagree. Further flags go to Pulumi. */
export async function moveStack(
  direction: "up" | "down",
  args: readonly string[],
  surroundings: Surroundings,
): Promise<ExitCode> {
  const given = readPulumiArguments(args, 1);
  const name = given.stack as StackName;
  const project = readProject();
  refuseForeign(project, name);
  const revision = revisionOf(given, direction, name);
  const call = `./pgstack ${direction === "up" ? "upgrade" : "downgrade"} ${revision} --stack ${name.given} --yes`;
  const yes = consentFor(name, given, call);
  const { log } = surroundings;
  await startStopped(project, name, log);
  return withPulumi(project, name, log, async (pulumi) => {
    const target = await targetOf(pulumi, name, [direction, revision], surroundings);
    log(`pgstack: stack ${name.stack}: migrations.to = ${target}`);
    await setConfig(pulumi, name, "pgstack:migrations.to", target);
    return runOnStack(pulumi, "up", name, given, { log, yes });
  });
}

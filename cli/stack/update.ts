import type { StackFacts } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { ExitCode, UserError } from "../../runner/util/errors.ts";
import { isLocal, refuseForeign } from "../project.ts";
import { isSet, type PulumiArguments, wordsOf } from "../pulumi/flags.ts";
import type { Pulumi } from "../pulumi/pulumi.ts";
import { clearStaleLock } from "./file-backend.ts";
import { startStopped } from "./local-instance.ts";
import { createStack, exportState, readFacts } from "./stack.ts";
import { hasPending, takeOverPending } from "./take-over.ts";

export type UpdateCommand = "up" | "preview" | "refresh" | "destroy";

type Log = (line: string) => void;

/** Makes a new stack, and puts in order what a killed run has left. */
async function prepareState(
  pulumi: Pulumi,
  command: UpdateCommand,
  name: StackName,
  log: Log,
): Promise<void> {
  const locked = await clearStaleLock(pulumi, name, log);
  if (command === "preview") return startStopped(pulumi.project, name, log);
  const state = await exportState(pulumi, name);
  if (state === undefined && command === "up") await createStack(pulumi, name, log);
  await startStopped(pulumi.project, name, log);
  if (state !== undefined && !locked && hasPending(JSON.parse(state)))
    await takeOverPending(pulumi, name, state, log); // where it is locked, pulumi says by whom
}

/** A diff without its long texts would hide what a migration does. */
function wordsFor(command: UpdateCommand, given: PulumiArguments): string[] {
  const whole = isSet(given, "diff") && command !== "refresh";
  return [...(whole ? ["--show-full-output"] : []), ...wordsOf(given)];
}

/** Pulumi's codes: 7 where `--expect-no-changes` met changes, 8 where the user said no. */
function exitCodeOf(code: number): ExitCode {
  if (code === 0) return ExitCode.done;
  return code === 7 ? ExitCode.differs : ExitCode.failed;
}

/** Whether the server says that it knows no database of the stack's. */
async function databaseIsGone({ outputs }: StackFacts): Promise<boolean> {
  const { withClient, isMissingDatabase } = await import("../../runner/postgres/connection.ts");
  const { admin, database } = outputs as { admin?: object; database?: string };
  if (admin === undefined || database === undefined) return false;
  const settings = { ...admin, database } as Parameters<typeof withClient>[0];
  return withClient(settings, async () => false).catch(isMissingDatabase);
}

/**
 * After an update that failed: a database that was dropped behind the stack's back is in its state still. On a local
 * instance the state is told so, and the update runs once more; elsewhere that is the user's decision.
 */
async function updateAnew(
  pulumi: Pulumi,
  name: StackName,
  words: readonly string[],
  log: Log,
): Promise<number> {
  const facts = await readFacts(pulumi, name).catch(() => undefined);
  if (facts === undefined || !(await databaseIsGone(facts))) return ExitCode.failed;
  const { stack, given } = name;
  const { database, host } = facts.outputs;
  if (!isLocal(pulumi.project, name))
    throw new UserError(
      `The database "${database}" on ${host} is gone, and stack "${stack}" still counts on it. To make it again, ` +
        `empty: ./pgstack refresh ${given}, which takes what is gone out of the stack's state, then ./pgstack up ${given}.`,
    );
  log(`pgstack: the database of stack ${stack} was dropped behind its back; making it again`);
  const refresh = ["refresh", "--yes", "--skip-preview", "--suppress-outputs", "--non-interactive"];
  const code = await pulumi.aside([...refresh, "--stack", given]);
  return code === 0 ? pulumi.onTerminal(["up", "--stack", given, ...words]) : code;
}

/** Runs Pulumi's command of that name on a stack, on the user's terminal, with the user's further flags. */
export async function runOnStack(
  pulumi: Pulumi,
  command: UpdateCommand,
  name: StackName,
  given: PulumiArguments,
  { log, yes }: { log: Log; yes: boolean },
): Promise<ExitCode> {
  refuseForeign(pulumi.project, name);
  await prepareState(pulumi, command, name, log);
  const words = [...(yes ? ["--yes"] : []), ...wordsFor(command, given)];
  const code = await pulumi.onTerminal([command, "--stack", name.given, ...words]);
  const failed = command === "up" && ![0, 7, 8].includes(code);
  return exitCodeOf(failed ? await updateAnew(pulumi, name, words, log) : code);
}

import type { StackFacts } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { ExitCode, UserError } from "../../runner/util/errors.ts";
import { isLocal, refuseForeign } from "../project.ts";
import { isSet, type PulumiArguments, wordsOf } from "../pulumi/flags.ts";
import type { Pulumi } from "../pulumi/pulumi.ts";
import { clearStaleLock } from "./file-backend.ts";
import { startStopped } from "./local-instance.ts";
import type { Checkpoint } from "./pending-operations.ts";
import { refuseUnprotected } from "./protection.ts";
import { cutOffRemovals, endRemoval, noteRemoval } from "./removal.ts";
import { createStack, exportState, readFacts } from "./stack.ts";
import { hasPending, takeOverPending } from "./take-over.ts";

export type UpdateCommand = "up" | "preview" | "refresh" | "destroy";

type Log = (line: string) => void;

/** Ends a removal that was cut off. @returns whether a local instance is to be left alone: another removal follows */
async function settleRemoval(
  pulumi: Pulumi,
  command: UpdateCommand,
  name: StackName,
  state: Checkpoint,
  log: Log,
): Promise<"ended" | "follows" | "none"> {
  const urns = await cutOffRemovals(pulumi, name, state);
  if (urns.length === 0) return "none";
  if (command === "destroy") return "follows";
  await endRemoval(pulumi, name, urns, log);
  return "ended";
}

const readState = (text: string): Checkpoint => JSON.parse(text);

/** Makes a new stack, and puts in order what a killed run has left. @returns the stack's state; undefined where it is new or locked */
async function prepareState(
  pulumi: Pulumi,
  command: UpdateCommand,
  name: StackName,
  log: Log,
): Promise<Checkpoint | undefined> {
  const { project } = pulumi;
  const locked = await clearStaleLock(pulumi, name, log);
  if (command === "preview") {
    await startStopped(project, name, log);
    return undefined;
  }
  let state = await exportState(pulumi, name);
  if (state === undefined) {
    if (command === "up") await createStack(pulumi, name, log);
    return undefined;
  }
  if (locked) return undefined; // pulumi says by whom
  const removal = await settleRemoval(pulumi, command, name, readState(state), log);
  if (removal === "ended") state = (await exportState(pulumi, name)) ?? state;
  if (removal !== "follows") await startStopped(project, name, log);
  if (hasPending(readState(state)) && removal !== "follows") await takeOverPending(pulumi, name, state, log);
  return readState(state);
}

/** Runs `pulumi destroy`; the removal of a whole local stack is noted, so that the next command can end it if it is cut off. */
async function remove(
  pulumi: Pulumi,
  name: StackName,
  state: Checkpoint | undefined,
  words: string[],
): Promise<number> {
  const isPartial = words.some((word) => /^(--(target|exclude|preview-only)|-t|-x)/.test(word));
  const run = () => pulumi.onTerminal(["destroy", "--stack", name.given, ...words]);
  const isNoted = state !== undefined && !isPartial && isLocal(pulumi.project, name);
  return isNoted ? noteRemoval(pulumi, name, state, run) : run();
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
async function updateOnceMore(
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
  const state = await prepareState(pulumi, command, name, log);
  if (state !== undefined && (command === "up" || command === "destroy"))
    await refuseUnprotected(pulumi, command, name, state, given);
  const words = [...(yes ? ["--yes"] : []), ...wordsFor(command, given)];
  const code =
    command === "destroy"
      ? await remove(pulumi, name, state, words)
      : await pulumi.onTerminal([command, "--stack", name.given, ...words]);
  const failed = command === "up" && ![0, 7, 8].includes(code);
  return exitCodeOf(failed ? await updateOnceMore(pulumi, name, words, log) : code);
}

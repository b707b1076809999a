import type { StackName } from "../../runner/cli/stack-name.ts";
import { UserError } from "../../runner/util/errors.ts";
import type { Pulumi } from "../pulumi/pulumi.ts";
import { type Checkpoint, takeOver } from "./pending-operations.ts";
import { exportState, importState } from "./stack.ts";

type Log = (line: string) => void;

const readState = (text: string): Checkpoint => JSON.parse(text);

/** Whether an update was cut off, or works still: something that it had begun has no end. */
export function hasPending({ deployment }: Checkpoint): boolean {
  return (deployment.pending_operations ?? []).length > 0;
}

/**
 * Puts the state of a cut-off update in order: what it was making counts as made, and a refresh finds out whether it is.
 * The backend takes the new state only where nobody holds a lock, and it is given only in place of the very state that was
 * read: an update that is at work meanwhile is not overwritten.
 *
 * @param before the state as `pulumi stack export` prints it
 * @throws UserError where the state has changed since
 */
export async function takeOverPending(
  pulumi: Pulumi,
  name: StackName,
  before: string,
  log: Log,
): Promise<void> {
  log(`pgstack: the last update of stack ${name.stack} was cut off; taking over what it had begun`);
  const state = takeOver(readState(before));
  if ((await exportState(pulumi, name)) !== before)
    throw new UserError(
      `The state of stack "${name.stack}" changes: another update is at work. Wait for its end, then run this again.`,
    );
  await importState(pulumi, name, JSON.stringify(state));
  const refresh = ["refresh", "--yes", "--skip-preview", "--suppress-outputs", "--non-interactive"];
  if ((await pulumi.aside([...refresh, "--stack", name.given])) !== 0)
    throw new UserError(`What the cut-off update of stack "${name.stack}" had begun could not be refreshed.`);
}

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { UserError } from "../../runner/util/errors.ts";
import type { Project } from "../project.ts";
import type { Pulumi } from "../pulumi/pulumi.ts";
import type { Checkpoint } from "./pending-operations.ts";
import { exportState, lastUpdate } from "./stack.ts";

// What stands in a local instance leaves the state without a look at the server, because it goes with the instance. A `destroy`
// that is killed in between leaves a server with roles of which the state knows nothing, and every `up` would meet them.

type Log = (line: string) => void;

/** A removal that was begun. */
interface Note {
  /** How many resources the stack had. */
  readonly resources: number;
  /** The last update that had ended: another one since makes the note worthless. */
  readonly update: string;
}

const fileOf = ({ state }: Project, { stack }: StackName) => join(state, `${stack}.removal`);

const resourcesOf = ({ deployment }: Checkpoint) => deployment.resources ?? [];

function readNote(file: string): Note | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Note;
  } catch {
    return undefined;
  }
}

/** Whether a removal that was begun has taken something out of the state, and no other update has ended since. */
async function isCutOff(pulumi: Pulumi, name: StackName, state: Checkpoint): Promise<boolean> {
  const file = fileOf(pulumi.project, name);
  const note = readNote(file);
  if (note === undefined) return false;
  if (resourcesOf(state).length < note.resources && (await lastUpdate(pulumi, name)) === note.update)
    return true;
  rmSync(file, { force: true });
  return false;
}

/** Runs a removal of the whole stack so that the next command knows of it if it does not end. @returns its exit code */
export async function noteRemoval(
  pulumi: Pulumi,
  name: StackName,
  state: Checkpoint,
  remove: () => Promise<number>,
): Promise<number> {
  const file = fileOf(pulumi.project, name);
  const note: Note = { resources: resourcesOf(state).length, update: await lastUpdate(pulumi, name) };
  writeFileSync(file, JSON.stringify(note));
  const code = await remove();
  const after = code === 0 ? undefined : await exportState(pulumi, name);
  const isHalf = after !== undefined && resourcesOf(JSON.parse(after)).length < note.resources;
  if (isHalf) writeFileSync(file, JSON.stringify({ ...note, update: await lastUpdate(pulumi, name) }));
  else rmSync(file, { force: true });
  return code;
}

function isLocalInstance({ type, inputs = {} }: ReturnType<typeof resourcesOf>[number]): boolean {
  return type === "command:local:Command" && String(inputs.delete).endsWith(" instance-remove");
}

/** The local instances whose removal was cut off: as they were removed themselves, or when what stands in them had left the state. */
export async function cutOffRemovals(pulumi: Pulumi, name: StackName, state: Checkpoint): Promise<string[]> {
  const instances = resourcesOf(state).filter(isLocalInstance);
  if (await isCutOff(pulumi, name, state)) return instances.map(({ urn }) => urn);
  const removing = (state.deployment.pending_operations ?? []).filter(({ type }) => type === "deleting");
  const urns = new Set(removing.map(({ resource }) => resource.urn));
  return instances.map(({ urn }) => urn).filter((urn) => urns.has(urn));
}

/** Ends the removal of local instances, with all that the state still has in them. */
export async function endRemoval(
  pulumi: Pulumi,
  name: StackName,
  urns: readonly string[],
  log: Log,
): Promise<void> {
  log(`pgstack: the removal of the local instance of stack ${name.stack} was cut off; ending it`);
  const targets = urns.flatMap((urn) => ["--target", urn]);
  const options = [
    "--target-dependents",
    "--yes",
    "--skip-preview",
    "--suppress-outputs",
    "--non-interactive",
  ];
  if ((await pulumi.aside(["destroy", ...targets, ...options, "--stack", name.given])) !== 0)
    throw new UserError(
      `The local instance of stack "${name.stack}" could not be removed whole; the lines above say why. ` +
        `./pgstack destroy ${name.given} removes all of the stack.`,
    );
  rmSync(fileOf(pulumi.project, name), { force: true });
}

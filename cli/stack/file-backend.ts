import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { StackName } from "../../runner/cli/stack-name.ts";
import type { Project } from "../project.ts";
import { engineState, forgetDeadEngines, type Liveness } from "../pulumi/engines.ts";
import type { Pulumi } from "../pulumi/pulumi.ts";

// The only place that looks into a backend: in a folder of files an engine that is killed leaves its lock behind, and may leave
// half of a state. Other backends end a lock by themselves, or by `pulumi cancel`.

/** A lock on a stack, as the engine writes it. */
interface Lock {
  readonly file: string;
  readonly pid: number;
  readonly hostname: string;
}

type Log = (line: string) => void;

/** The folder of a file backend; undefined for every other. */
function folderOf({ backend }: Pulumi): string | undefined {
  if (!backend.startsWith("file://")) return undefined;
  try {
    return fileURLToPath(new URL(backend));
  } catch {
    return undefined; // such as file://~, which Pulumi resolves
  }
}

function parsed(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function locksIn(folder: string): Lock[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return files.flatMap((name) => {
    const file = join(folder, name);
    const lock = parsed(file) as Partial<Lock> | undefined;
    return typeof lock?.pid === "number" && typeof lock.hostname === "string"
      ? [{ file, pid: lock.pid, hostname: lock.hostname }]
      : [];
  });
}

const lockFolder = (folder: string, { name }: Project, { stack }: StackName) =>
  join(folder, ".pulumi/locks/organization", name, stack);

/** The attributes of a state's file: the engine does without them, but not with half of them. */
function dropCutOffAttributes(file: string): void {
  if (existsSync(file) && statSync(file).size === 0) rmSync(file);
}

/** An engine that is killed while it saves may leave half of a state. The one before it, a step older, is kept beside. */
function recoverState(folder: string, { name }: Project, { stack }: StackName, log: Log): void {
  const state = join(folder, ".pulumi/stacks", name, `${stack}.json`);
  for (const file of [`${state}.attrs`, `${state}.bak.attrs`]) dropCutOffAttributes(file);
  if (parsed(state) !== undefined || parsed(`${state}.bak`) === undefined) return;
  log("pgstack: its last state was cut off while it was saved; continuing from the one before");
  copyFileSync(`${state}.bak`, state);
}

/** A killed engine takes a moment to go. */
async function settledState(check: () => Liveness): Promise<Liveness> {
  if (check() !== "runs") return check();
  await sleep(1000);
  return check();
}

/**
 * Clears the lock of a stack whose engine is certainly gone, and mends the state that it may have left half-written.
 * @returns whether an engine holds the stack still, or may do so
 */
export async function clearStaleLock(pulumi: Pulumi, name: StackName, log: Log): Promise<boolean> {
  const { project } = pulumi;
  const folder = folderOf(pulumi);
  if (folder === undefined) return false;
  const ours = folder === join(project.state, "backend");
  let locked = false;
  const locks = locksIn(lockFolder(folder, project, name));
  for (const { file, pid, hostname: host } of locks) {
    const check = () => engineState(project, pid, ours);
    if (host !== hostname() || (await settledState(check)) !== "dead") {
      locked = true;
      continue;
    }
    log(
      `pgstack: stack ${name.stack} was locked by a pulumi (process ${pid}) that is no longer running; clearing its lock`,
    );
    recoverState(folder, project, name, log);
    rmSync(file, { force: true });
  }
  forgetDeadEngines(project, new Set(locks.map(({ pid }) => pid)));
  return locked;
}

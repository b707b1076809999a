import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Project } from "../project.ts";

/** Where a process runs: its number means nothing elsewhere. Empty texts on systems without /proc, which have no containers either. */
interface Realm {
  /** Changes with each start of the system. */
  readonly boot: string;
  /** The namespace of processes' numbers: a container has one of its own. */
  readonly namespace: string;
  /** Of the installed system; empty where it has none. */
  readonly machine: string;
}

/** An engine that this checkout started, as `.pgstack/engines/` keeps it while it runs. */
export interface Engine extends Realm {
  readonly pid: number;
  /** When the process began, in ticks since the system's start; empty where the system does not tell. */
  readonly began: string;
}

/** Whether an engine works still. Undefined where that cannot be seen from here. */
export type Liveness = "runs" | "dead" | undefined;

function read(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}

function namespaceHere(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function realmHere(): Realm {
  return {
    boot: read("/proc/sys/kernel/random/boot_id"),
    namespace: namespaceHere(),
    machine: read("/etc/machine-id"),
  };
}

/** The kernel's first namespace of processes: whoever is in it sees every process of the machine. PROC_PID_INIT_INO in Linux' proc_ns.h. */
const wholeMachine = "pid:[4026531836]";

/** When a process began (field 22 of /proc/PID/stat, counted after the name in brackets); empty where it is gone or a zombie. */
function beganOf(pid: number): string {
  const fields = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, "")
    .split(" ");
  return fields[0] === "Z" ? "" : (fields[19] ?? "");
}

const folderOf = ({ state }: Project) => join(state, "engines");

/**
 * Notes that this checkout has started an engine, so that a lock that it leaves behind can be told from those of others.
 * @returns what removes the note
 */
export function recordEngine(project: Project, pid: number): () => void {
  const engine: Engine = { ...realmHere(), pid, began: beganOf(pid) };
  const file = join(
    folderOf(project),
    `${engine.boot.slice(0, 8)}-${engine.namespace.replace(/\D/g, "")}-${pid}.json`,
  );
  mkdirSync(folderOf(project), { recursive: true });
  writeFileSync(file, JSON.stringify(engine));
  return () => rmSync(file, { force: true });
}

function notes(project: Project): { file: string; engine: Engine }[] {
  let names: string[] = [];
  try {
    names = readdirSync(folderOf(project));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const file = join(folderOf(project), name);
    try {
      return [{ file, engine: JSON.parse(read(file)) as Engine }];
    } catch {
      return []; // being written, or cut off: says nothing
    }
  });
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function livenessOf(engine: Engine): Liveness {
  const here = realmHere();
  if (engine.boot === here.boot && engine.namespace === here.namespace) {
    if (here.namespace === "") return runs(engine.pid) ? "runs" : "dead";
    return engine.began !== "" && beganOf(engine.pid) === engine.began ? "runs" : "dead";
  }
  const sameMachine = engine.machine !== "" && engine.machine === here.machine;
  const noContainers = engine.namespace === wholeMachine && here.namespace === wholeMachine;
  return sameMachine && noContainers && engine.boot !== here.boot ? "dead" : undefined; // the machine was started again
}

/** Whether a process with that number, as some container counts, is a pulumi. Needs to see every process of the machine. */
function isPulumiSomewhere(pid: number): boolean {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .some((name) => {
      const status = read(`/proc/${name}/status`);
      const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [name];
      return /^Name:\s+pulumi/m.test(status) && !/^State:\s+Z/m.test(status) && numbers.includes(String(pid));
    });
}

/**
 * Whether the engine with that number, on a host of this one's name, works still. Containers may share a host name, and
 * do not see each other's processes: an engine counts as dead only where this checkout has started it in this container, or
 * where every process of the machine can be seen and only this checkout uses the backend.
 */
export function engineState(project: Project, pid: number, backendIsOurs: boolean): Liveness {
  const known = notes(project).filter(({ engine }) => engine.pid === pid);
  const states = known.map(({ engine }) => livenessOf(engine));
  if (states.includes("runs")) return "runs";
  if (states.length > 0) return states.every((state) => state === "dead") ? "dead" : undefined;
  const { namespace } = realmHere();
  if (!backendIsOurs || (namespace !== "" && namespace !== wholeMachine)) return undefined;
  if (namespace === "") return runs(pid) ? "runs" : "dead";
  return isPulumiSomewhere(pid) ? "runs" : "dead";
}

/** Removes the notes of engines that are gone and hold no lock: their numbers come again. */
export function forgetDeadEngines(project: Project, locked: ReadonlySet<number>): void {
  for (const { file, engine } of notes(project))
    if (!locked.has(engine.pid) && livenessOf(engine) === "dead") rmSync(file, { force: true });
}

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** What one run has beside a dump's final name. */
export interface Partial {
  /** The report on `dump`; being there, it says that `dump` is complete. */
  readonly report: string;
  /** The dump itself until it has its name. */
  readonly dump: string;
  /** The folder that makes way for `dump`: only a file can be renamed over another. */
  readonly old: string;
  /** The run's file lock, before it has it. */
  readonly lock: string;
}

/** This run, among all that there were: PIDs are reused. */
export const runName = `${process.pid}-${randomBytes(4).toString("hex")}`;

/** The names that a run uses beside `path`. */
export function partialOf(path: string, run = runName): Partial {
  const dump = `${path}.partial-${run}`;
  return { report: `${dump}.report`, dump, old: `${dump}.old`, lock: `${dump}.turn` };
}

/** True for a run that cannot continue any more. */
export function isOver(run: string): boolean {
  const pid = Number.parseInt(run, 10);
  if (run === runName || pid === process.pid) return run !== runName;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "EPERM";
  }
}

/** `<dump>.partial-<run>`, with an ending but for the dump itself. */
const form = /^(.+)\.partial-(\d+(?:-[0-9a-f]+)?)(?:\.(?:report|old|turn))?$/s;

async function leftIn(directory: string): Promise<{ name: string; run: string }[]> {
  const names = await readdir(directory).catch(() => []);
  const found = names.map((name) => name.match(form)).filter((match) => match !== null);
  return found.map(([, name = "", run = ""]) => ({ name, run })).filter(({ run }) => isOver(run));
}

/** What killed runs left beside `path`. */
export async function leftBeside(path: string): Promise<Partial[]> {
  const left = (await leftIn(dirname(path))).filter(({ name }) => name === basename(path));
  return [...new Set(left.map(({ run }) => run))].map((run) => partialOf(path, run));
}

/** The dumps of a folder beside which killed runs left something. */
export async function pathsWithLeftovers(directory: string): Promise<string[]> {
  const names = (await leftIn(directory)).map(({ name }) => name);
  return [...new Set(names)].map((name) => join(directory, name));
}

/** Removes files and folders, in this order; gives those that were there. */
export async function removeAll(...paths: readonly string[]): Promise<string[]> {
  const there = paths.filter((path) => existsSync(path));
  for (const path of there) await rm(path, { recursive: true, force: true });
  return there;
}

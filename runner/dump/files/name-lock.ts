import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { UserError } from "../../util/errors.ts";
import { isOver, partialOf, runName } from "./temporary-names.ts";

const lookAgainMs = 20;
const patienceMs = 30_000;

/** The folder that is there while a run renames to and from `path`. */
export const lockPath = (path: string) => `${path}.turn`;

/**
 * Lends the file lock of `path`, which one run has at a time: a folder that names the run. The system renames a folder over an
 * empty one alone, so that a killed run's lock ends when its name is removed from the folder, by whichever run.
 */
export async function withFileLock<T>(path: string, use: () => Promise<T>): Promise<T> {
  const lock = lockPath(path);
  const own = partialOf(path).lock;
  await mkdir(join(own, runName), { recursive: true });
  try {
    await take(path, own, lock);
    return await use();
  } finally {
    await rm(own, { recursive: true, force: true });
    await rm(join(lock, runName), { recursive: true, force: true });
    await rmdir(lock).catch(() => {}); // it is another run's by now
  }
}

async function take(path: string, own: string, lock: string): Promise<void> {
  for (const end = Date.now() + patienceMs; !(await isRenamed(own, lock)); await setTimeout(lookAgainMs)) {
    const runs = await readdir(lock).catch(() => []);
    for (const run of runs.filter(isOver)) await rm(join(lock, run), { recursive: true, force: true });
    if (Date.now() > end)
      throw new UserError(
        `Another pgstack run (PID ${runs.map((run) => Number.parseInt(run, 10)).join(", ")}) has been writing ${path} for ` +
          `${patienceMs / 1000} s. Wait for it, or delete the stale lock ${lock} if no such process exists.`,
      );
  }
}

async function isRenamed(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOTEMPTY" || error.code === "EEXIST") return false;
      throw error;
    },
  );
}

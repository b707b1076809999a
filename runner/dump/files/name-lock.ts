import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { UserError } from "../../util/errors.ts";
import { isOver, partialOf, runName } from "./temporary-names.ts";

const lookAgainMs = 20;
const patienceMs = 30_000;

/** The folder that is there while a run renames to and from `path`. */
export const turnPath = (path: string) => `${path}.turn`;

/**
 * Lends the right to rename to and from `path`, which one run has at a time: a folder that names the run. The system
 * renames a folder over an empty one alone, so that a killed run's turn ends with its name in there, whoever removes that.
 */
export async function withTurn<T>(path: string, use: () => Promise<T>): Promise<T> {
  const turn = turnPath(path);
  const own = partialOf(path).turn;
  await mkdir(join(own, runName), { recursive: true });
  try {
    await take(path, own, turn);
    return await use();
  } finally {
    await rm(own, { recursive: true, force: true });
    await rm(join(turn, runName), { recursive: true, force: true });
    await rmdir(turn).catch(() => {}); // it is another run's by now
  }
}

async function take(path: string, own: string, turn: string): Promise<void> {
  for (const end = Date.now() + patienceMs; !(await isRenamed(own, turn)); await setTimeout(lookAgainMs)) {
    const runs = await readdir(turn).catch(() => []);
    for (const run of runs.filter(isOver)) await rm(join(turn, run), { recursive: true, force: true });
    if (Date.now() > end)
      throw new UserError(
        `Another run (process ${runs.map((run) => Number.parseInt(run, 10)).join(", ")}) has had the name ${path} in ` +
          `hand for ${patienceMs / 1000} s. Wait for its end; where no such run is, remove ${turn}.`,
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

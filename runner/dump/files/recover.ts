import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { UserError } from "../../util/errors.ts";
import { reportPath } from "../report.ts";
import { syncFolderOf } from "./checksum.ts";
import { lockPath, withFileLock } from "./name-lock.ts";
import { leftBeside, type Partial, removeAll } from "./temporary-names.ts";

/**
 * Completes or undoes the renames of runs that were killed at `path`: a dump that had made way for another, complete one is replaced by
 * that, a dump gets the report that it lacks, and what is left is removed. Waits for a run that is renaming. Gives a line on each, for
 * people. Throws UserError where it cannot be done.
 */
export async function recoverRenames(path: string): Promise<string[]> {
  const name = path.replace(/(?<=.)\/+$/, "");
  if ((await leftBeside(name)).length === 0 && !existsSync(lockPath(name))) return [];
  return withFileLock(name, () => recoverLocked(name)).catch((error) => {
    if (error instanceof UserError) throw error;
    throw new UserError(`What a run left beside ${name} cannot be recovered: ${error.message}`, {
      cause: error,
    });
  });
}

/** The same for a run that holds the file lock. */
export async function recoverLocked(path: string): Promise<string[]> {
  const said: string[] = [];
  for (const left of await leftBeside(path)) {
    said.push(...(await finish(path, left)));
    const removed = await removeAll(left.report, left.dump, left.old, left.lock);
    said.push(...removed.map((one) => `removed ${one}, left by a run that was killed`));
  }
  return said;
}

/** Continues where the run was when it was killed, if it had begun to rename: the report is the last to get its name. */
async function finish(path: string, { report, dump, old }: Partial): Promise<string[]> {
  if (!existsSync(report)) return [];
  const said: string[] = [];
  if (existsSync(old) && existsSync(dump) && !existsSync(path)) {
    await rename(dump, path);
    said.push(`renamed ${dump} to ${path}, as a run was about to that was killed`);
  }
  if (!existsSync(dump) && existsSync(path)) {
    await rename(report, reportPath(path));
    said.push(`put the report of ${path} beside it, as a run was about to that was killed`);
  }
  if (said.length > 0) await syncFolderOf(path);
  return said;
}

import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { UserError } from "../../util/errors.ts";
import { reportPath } from "../report.ts";
import { syncFolderOf } from "./checksum.ts";
import { turnPath, withTurn } from "./name-lock.ts";
import { leftBeside, type Partial, removeAll } from "./temporary-names.ts";

/**
 * Ends what killed runs began at `path`: a dump that had made way for another, complete one is replaced by it, a dump
 * gets the report that it lacks, and what is left is removed. A run that is at it is waited for. Gives a line on each, for
 * people. Throws UserError where it cannot be done.
 */
export async function settle(path: string): Promise<string[]> {
  const name = path.replace(/(?<=.)\/+$/, "");
  if ((await leftBeside(name)).length === 0 && !existsSync(turnPath(name))) return [];
  return withTurn(name, () => settleInTurn(name)).catch((error) => {
    if (error instanceof UserError) throw error;
    throw new UserError(`What a run left beside ${name} cannot be put right: ${error.message}`, {
      cause: error,
    });
  });
}

/** The same for a run whose turn it is. */
export async function settleInTurn(path: string): Promise<string[]> {
  const said: string[] = [];
  for (const left of await leftBeside(path)) {
    said.push(...(await finish(path, left)));
    const removed = await removeAll(left.report, left.dump, left.old, left.turn);
    said.push(...removed.map((one) => `removed ${one}, left by a run that was killed`));
  }
  return said;
}

/** Goes on where the run was when it was killed, if it had begun to rename: the report is the last to get its name. */
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

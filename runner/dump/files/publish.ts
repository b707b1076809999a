import { existsSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { RefusedError } from "../../util/errors.ts";
import { type DumpReport, reportPath } from "../report.ts";
import { isFolder, looksLikeDump, syncFolderOf } from "./checksum.ts";
import { withFileLock } from "./name-lock.ts";
import { recoverLocked } from "./recover.ts";
import type { Partial } from "./temporary-names.ts";

/** Refuses a path where something is; `overwrite` replaces a dump there, and nothing that is not one. */
export function refuseExisting(path: string, overwrite: boolean): void {
  if (!existsSync(path)) return;
  if (!overwrite)
    throw new RefusedError(`${path} exists. Choose another name, or replace it with --overwrite.`);
  if (!looksLikeDump(path))
    throw new RefusedError(
      `${path} exists and is not a dump, so it is not overwritten. Choose another name.`,
    );
}

/**
 * Gives a complete dump its final name, and its report the name beside it. One run does so at a time, so that the two always
 * belong together; `recoverRenames` completes what a kill interrupts here.
 */
export async function publish(report: DumpReport, partial: Partial, overwrite: boolean): Promise<void> {
  const text = `${JSON.stringify(report, null, 2)}\n`;
  await writeFile(partial.report, text, { mode: 0o600, flush: true });
  await withFileLock(report.path, async () => {
    await recoverLocked(report.path);
    refuseExisting(report.path, overwrite);
    await takeName(report.path, partial);
  });
  await rm(partial.old, { recursive: true, force: true });
}

async function takeName(path: string, { report, dump, old }: Partial): Promise<void> {
  const folder = (await isFolder(path)) || (await isFolder(dump));
  if (folder && existsSync(path)) await rename(path, old);
  await rename(dump, path).catch(async (error) => {
    if (existsSync(old)) await rename(old, path);
    throw error;
  });
  await rename(report, reportPath(path));
  await syncFolderOf(path);
}

import { existsSync } from "node:fs";
import { link, rename, rm } from "node:fs/promises";
import { RefusedError } from "../user-error.ts";
import { isFolder, looksLikeDump, syncFolderOf } from "./files.ts";
import { type DumpReport, reportPath, writeReport } from "./report.ts";

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

/** Gives a complete dump its final name, and writes its report beside it. */
export async function publish(report: DumpReport, partial: string, overwrite: boolean): Promise<void> {
  if (overwrite) await replace(report.path, partial);
  else await takeName(report.path, partial);
  await syncFolderOf(report.path);
  await writeReport(report);
}

/** Gives the dump its name unless another run was quicker: unlike a rename, a link never replaces a file. */
async function takeName(path: string, partial: string): Promise<void> {
  const take = (await isFolder(partial)) ? rename : link;
  await take(partial, path).catch(async () => {
    refuseExisting(path, false);
    await rename(partial, path); // not every file system has links
  });
  await rm(reportPath(path), { force: true });
}

async function replace(path: string, partial: string): Promise<void> {
  await rm(reportPath(path), { force: true });
  const old = `${partial}.old`;
  const folder = (await isFolder(path)) || (await isFolder(partial));
  if (folder && existsSync(path)) await rename(path, old); // only a file can be renamed over another
  await rename(partial, path);
  await rm(old, { recursive: true, force: true });
}

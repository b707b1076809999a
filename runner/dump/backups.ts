import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../util/errors.ts";
import { bytesAt, checksumOf } from "./files/checksum.ts";
import { type DumpReport, readReport, reportPath } from "./report.ts";

/** A dump of a stack and its present state. */
export interface Backup {
  readonly report: DumpReport;
  /** Where it is now; the report keeps where it was made. */
  readonly path: string;
  /** `verified`: every byte is as it was when the dump was made. */
  readonly state: "verified" | "damaged" | "missing";
}

/** The reports on a stack's dumps in a folder, newest first; an absent folder has none. */
export async function stackReports(directory: string, stack: string): Promise<Omit<Backup, "state">[]> {
  const all = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new UserError(`The dumps cannot be listed: ${error.message}`, { cause: error });
  });
  const names = all.filter((name) => name.endsWith(".json"));
  const paths = names.map((name) => join(directory, name.slice(0, -".json".length)));
  const found = await Promise.all(paths.map(async (path) => ({ path, report: await readReport(path) })));
  return found
    .filter((one): one is { path: string; report: DumpReport } => one.report?.stack === stack)
    .sort((a, b) => b.report.createdAt.localeCompare(a.report.createdAt));
}

/** Reads a dump again and compares it with its report. */
export async function verify({ path, report }: Omit<Backup, "state">): Promise<Backup["state"]> {
  const now = await checksumOf(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    if (error.code === "EISDIR") return { sha256: "" }; // a folder within, which no dump has
    throw new UserError(`The dump ${path} cannot be read: ${error.message}`, { cause: error });
  });
  if (now === undefined) return "missing";
  return now.sha256 === report.sha256 ? "verified" : "damaged";
}

/** Removes a dump and its report. */
export async function removeDump(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await rm(reportPath(path), { force: true });
}

/**
 * Removes the stack's labelled dumps that are older than the newest `keep`; one that is gone or no longer as long as it
 * was is none of these. Dumps made by hand stay. Call it only after a new one has been verified. Gives the removed paths.
 */
export async function prune(directory: string, stack: string, keep: number): Promise<string[]> {
  const labelled = (await stackReports(directory, stack)).filter(({ report }) => report.label !== null);
  const surplus: string[] = [];
  let kept = 0;
  for (const { path, report } of labelled)
    if (kept === keep) surplus.push(path);
    else if ((await bytesAt(path)) === report.bytes) kept++;
  for (const path of surplus) await removeDump(path);
  return surplus;
}

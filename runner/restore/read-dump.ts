import { existsSync } from "node:fs";
import { readArchive, readContents } from "../dump/archive.ts";
import type { Archive } from "../dump/archive-parser.ts";
import { type Checksum, checksumOf, looksLikeDump } from "../dump/files.ts";
import { type DumpReport, readReport } from "../dump/report.ts";
import type { Programs } from "../server/programs.ts";
import { RefusedError } from "../user-error.ts";

/** A dump that was read from its first byte to its last. */
export interface WholeDump {
  readonly path: string;
  readonly archive: Archive;
  readonly checksum: Checksum;
  /** The report beside it, where that is of this very dump. */
  readonly report: DumpReport | undefined;
}

/** Refuses what is no dump at all. */
export function refuseNoDump(path: string): void {
  if (!existsSync(path)) throw new RefusedError(`There is no dump at ${path}.`);
  if (!looksLikeDump(path))
    throw new RefusedError(
      `${path} is not a dump in pg_dump's custom or directory format. (A plain SQL script is run by psql.)`,
    );
}

/**
 * Reads a dump whole: every byte where it is the very one that its report verified, else every row as well. Throws
 * UserError where it is damaged, RefusedError where it is not the one that is expected.
 * @param expected its SHA-256, where that is fixed
 */
export async function readDump(
  path: string,
  expected: string | undefined,
  programs: Programs,
  signal: AbortSignal,
): Promise<WholeDump> {
  const known = await readReport(path);
  const contents = known && readContents(path, programs, known.tableRows, signal);
  const whole = known ? undefined : readArchive(path, programs, signal);
  const [checksum, quick, thorough] = await Promise.all([checksumOf(path), contents, whole]);
  if (expected !== undefined && expected !== checksum.sha256)
    throw new RefusedError(
      `The dump ${path} has the SHA-256 ${checksum.sha256}, expected was ${expected}. Nothing was changed.`,
    );
  const report = known?.sha256 === checksum.sha256 ? known : undefined;
  if (report !== undefined && quick !== undefined)
    return { path, archive: { ...quick, textBytes: report.textBytes }, checksum, report };
  return { path, archive: thorough ?? (await readArchive(path, programs, signal)), checksum, report };
}

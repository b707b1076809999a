import { existsSync } from "node:fs";
import { readArchive } from "../dump/archive.ts";
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
 * Reads a dump whole. Throws UserError where it is damaged, RefusedError where it is not the one that is expected.
 * @param expected its SHA-256, where that is fixed
 */
export async function readDump(
  path: string,
  expected: string | undefined,
  programs: Programs,
  signal: AbortSignal,
): Promise<WholeDump> {
  const [archive, checksum, known] = await Promise.all([
    readArchive(path, programs, signal),
    checksumOf(path),
    readReport(path),
  ]);
  if (expected !== undefined && expected !== checksum.sha256)
    throw new RefusedError(
      `The dump ${path} has the SHA-256 ${checksum.sha256}, expected was ${expected}. Nothing was changed.`,
    );
  return { path, archive, checksum, report: known?.sha256 === checksum.sha256 ? known : undefined };
}

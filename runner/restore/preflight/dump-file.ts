import { existsSync } from "node:fs";
import { readContents } from "../../dump/archive/read.ts";
import { readWhole, type Whole } from "../../dump/archive/read-whole.ts";
import { type Checksum, checksumOf, identityOf, looksLikeDump } from "../../dump/files/checksum.ts";
import { recoverRenames } from "../../dump/files/recover.ts";
import { type DumpReport, readReport } from "../../dump/report.ts";
import type { Programs } from "../../postgres/programs.ts";
import { RefusedError, UserError } from "../../util/errors.ts";

/** A dump that a restore can go by. */
export interface WholeDump extends Whole {
  readonly path: string;
  /** The report beside it, where that is of this very dump. */
  readonly report: DumpReport | undefined;
}

/** Refuses what is no dump at all. Gives a line on what killed runs had left undone at the path, and is done now. */
export async function refuseNoDump(path: string): Promise<string[]> {
  const recovered = existsSync(path) ? [] : await recoverRenames(path);
  if (!existsSync(path)) throw new RefusedError(`There is no dump at ${path}.`);
  if (!looksLikeDump(path))
    throw new RefusedError(
      `${path} is not a dump in pg_dump's custom or directory format. (A plain SQL script is run by psql.)`,
    );
  return recovered;
}

/** Throws UserError where the dump is another than it was: what was read of it may be of both. */
export async function refuseReplaced(path: string, identity: string): Promise<void> {
  if ((await identityOf(path)) !== identity)
    throw new UserError(`The dump ${path} was replaced or changed while it was read. Restore it again.`);
}

/** Refuses a dump that is not the expected one, for which it is read; `expected` is its SHA-256, where that is fixed. */
export async function refuseOtherDump(path: string, expected: string | undefined): Promise<void> {
  if (expected !== undefined) refuseOther(path, await checksumOf(path), expected);
}

function refuseOther(path: string, { sha256 }: Checksum, expected: string | undefined): void {
  if (expected === undefined || expected === sha256) return;
  throw new RefusedError(
    `The dump ${path} has the SHA-256 ${sha256}, expected was ${expected}. Nothing was changed.`,
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
  const report = await readReport(path);
  const verified = report && (await readVerified(path, report, programs, signal));
  const { archive, checksum } = verified ?? (await readWhole(path, programs, signal));
  refuseOther(path, checksum, expected);
  return { path, archive, checksum, report: verified && report };
}

/** The dump as its report knows it, or undefined where it is another one. */
async function readVerified(
  path: string,
  { sha256, textBytes, tableRows }: DumpReport,
  programs: Programs,
  signal: AbortSignal,
): Promise<Whole | undefined> {
  const key = (schema: string | null, name: string) => JSON.stringify([schema ?? "", name]);
  const rows = new Map(tableRows.map((table) => [key(table.schema, table.name), table.rows]));
  const [contents, checksum] = await Promise.all([
    readContents(path, programs, ({ schema, name }) => rows.get(key(schema, name)) ?? 0, signal),
    checksumOf(path),
  ]);
  if (contents === undefined || checksum.sha256 !== sha256) return undefined;
  return { archive: { ...contents, textBytes }, checksum };
}

import { mkdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { type ConnectionSettings, describe, withClient } from "../postgres/connection.ts";
import type { Programs } from "../postgres/programs.ts";
import { pgDumpFor } from "../postgres/programs.ts";
import { runProgram } from "../postgres/run-program.ts";
import { RefusedError, UserError } from "../util/errors.ts";
import { rowsOf, tableData } from "./archive/read.ts";
import { readWhole } from "./archive/read-whole.ts";
import { bytesAt, seal, syncWhileWriting } from "./files/checksum.ts";
import { publish, refuseExisting } from "./files/publish.ts";
import { settle } from "./files/recover.ts";
import { partialOf, removeAll } from "./files/temporary-names.ts";
import { type DumpOptions, dumpArguments } from "./options.ts";
import { formatBytes, type Output, reportProgress } from "./progress.ts";
import type { DumpReport } from "./report.ts";
import { inspectSource, refuseUnreadable, type Source } from "./source.ts";

/** A dump to be made. */
export interface DumpRequest {
  readonly source: ConnectionSettings;
  /** Final path of the file or directory. */
  readonly path: string;
  readonly options: DumpOptions;
  readonly label: string | null;
  readonly stack: string | null;
  /** Replaces a dump that is already at `path`. */
  readonly overwrite: boolean;
}

/**
 * Makes a dump: written beside its final name, read back whole, then renamed, so that whatever is killed or fails,
 * nothing incomplete has the final name. Throws RefusedError before anything is written.
 */
export async function makeDump(
  request: DumpRequest,
  output: Output,
  signal: AbortSignal,
): Promise<DumpReport> {
  const began = new Date();
  const { path, options } = request;
  for (const done of await settle(path)) output.log(done);
  refuseExisting(path, request.overwrite);
  const source = await withClient(request.source, inspectSource);
  const whole = options.tables.length + options.excludeTableData.length === 0 && !options.schemaOnly;
  refuseUnreadable(source, request.source.user, whole);
  const programs = await pgDumpFor(source);
  await mkdir(dirname(path), { recursive: true });
  await refuseFullDisk(path, source, options, whole);
  const names = partialOf(path);
  const partial = names.dump;
  try {
    await writePartial(request, { programs, source, partial }, output, signal);
    output.log("reading the dump back");
    const [report] = await Promise.all([
      verified(request, { programs, source, partial, began }, signal),
      seal(partial),
    ]);
    await publish(report, names, request.overwrite);
    return report;
  } finally {
    await removeAll(names.report, partial);
  }
}

interface Work {
  readonly programs: Programs;
  readonly source: Source;
  readonly partial: string;
}

async function refuseFullDisk(
  path: string,
  source: Source,
  options: DumpOptions,
  whole: boolean,
): Promise<void> {
  if (!whole) return;
  const disk = await statfs(dirname(path));
  const free = disk.bavail * disk.bsize;
  const least = source.tableBytes * (options.compression === "none" ? 0.7 : 0.05); // jsonb text shrinks up to 20 times
  if (free < least)
    throw new RefusedError(
      `The dump of ${formatBytes(source.tableBytes)} in tables needs at least ${formatBytes(least)} in ` +
        `${dirname(path)}, where ${formatBytes(free)} are free.`,
    );
}

async function writePartial(
  { source: connection, options, path }: DumpRequest,
  { programs, source, partial }: Work,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  let done = 0;
  const errors: string[] = [];
  using _ = reportProgress(output, "dump", async () => ({
    done: Math.min(Math.max(0, done - 1), source.tables),
    total: source.tables,
    bytes: await bytesAt(partial),
  }));
  await using _syncing = syncWhileWriting(partial);
  const code = await runProgram({
    programs,
    program: "pg_dump",
    args: dumpArguments(options, programs, partial),
    connection,
    signal,
    onLine: (line) => {
      if (/^pg_dump: dumping contents of table /.test(line)) done++;
      else if (/^pg_dump: (warning|error|detail|hint)/.test(line)) errors.push(line);
    },
  });
  if (code === 0) return;
  const said = errors.join("\n  ") || `pg_dump ended with ${code}`;
  throw new UserError(`The dump of ${describe(connection)} failed:\n  ${said}\nNothing is left at ${path}.`);
}

async function verified(
  { options, path, label, stack }: DumpRequest,
  { programs, source, partial, began }: Work & { began: Date },
  signal: AbortSignal,
): Promise<DumpReport> {
  const { archive, checksum } = await readWhole(partial, programs, signal);
  const tables = tableData(archive);
  return {
    path,
    format: options.format,
    compression: options.compression,
    ...checksum,
    label,
    stack,
    database: source.database,
    serverVersion: archive.serverVersion,
    programVersion: archive.programVersion,
    tables: tables.length,
    rows: rowsOf(archive),
    textBytes: archive.textBytes,
    seconds: (Date.now() - began.getTime()) / 1000,
    createdAt: began.toISOString(),
    leftOut: source.invalidIndexes.map((name) => `INDEX ${name} (invalid in the source)`),
    tableRows: tables.map(({ schema, name, rows }) => ({ schema: schema ?? "", name, rows })),
  };
}

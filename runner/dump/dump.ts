import { mkdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type pg from "pg";
import { type ConnectionSettings, describe, withClient } from "../postgres/connection.ts";
import type { Programs } from "../postgres/programs.ts";
import { pgDumpFor } from "../postgres/programs.ts";
import { runProgram } from "../postgres/run-program.ts";
import { RefusedError, UserError } from "../util/errors.ts";
import { rowsOf, tableData } from "./archive/read.ts";
import { readWhole } from "./archive/read-whole.ts";
import { bytesAt, seal, syncWhileWriting } from "./files/checksum.ts";
import { publish, refuseExisting } from "./files/publish.ts";
import { recoverRenames } from "./files/recover.ts";
import { partialOf, removeAll } from "./files/temporary-names.ts";
import { type DumpOptions, dumpArguments } from "./options.ts";
import { formatBytes, type Output, reportProgress, tablesDone } from "./progress.ts";
import type { DumpReport } from "./report.ts";
import { chooseReader, refuseUnreadable, type Source } from "./source.ts";
import { missingFor, resolvePatterns } from "./table-patterns.ts";

/** A dump to be made. */
export interface DumpRequest {
  readonly source: ConnectionSettings;
  /** The database's owner, where the login is known: reads where the user of `source` may not. */
  readonly owner?: ConnectionSettings | undefined;
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
  const { path } = request;
  for (const done of await recoverRenames(path)) output.log(done);
  refuseExisting(path, request.overwrite);
  const { connection, source } = await chooseReader([
    request.source,
    ...(request.owner ? [request.owner] : []),
  ]);
  const { options, missing } = await withClient(connection, (client) =>
    resolveOptions(client, request.options),
  );
  const whole = options.tables.length + options.excludeTableData.length === 0 && !options.schemaOnly;
  refuseUnreadable(source, connection.user, whole);
  const programs = await pgDumpFor(source);
  await mkdir(dirname(path), { recursive: true });
  if (whole) await refuseFullDisk(path, source, options);
  const names = partialOf(path);
  const work = {
    request: { ...request, options },
    connection,
    source,
    missing,
    programs,
    began,
    partial: names.dump,
  };
  try {
    await writePartial(work, output, signal);
    output.log("reading the dump back");
    const [report] = await Promise.all([verified(work, signal), seal(work.partial)]);
    await publish(report, names, request.overwrite);
    return report;
  } finally {
    await removeAll(names.report, work.partial);
  }
}

/** The options with the tables' own names instead of patterns, and what these tables need and the dump does not hold. */
async function resolveOptions(
  client: pg.Client,
  options: DumpOptions,
): Promise<{ options: DumpOptions; missing: string[] }> {
  const choice = await resolvePatterns(client, options);
  return { options: { ...options, ...choice }, missing: await missingFor(client, choice.tables) };
}

/** A dump that is being made. */
interface Work {
  /** With the tables' own names instead of patterns. */
  readonly request: DumpRequest;
  /** Who reads. */
  readonly connection: ConnectionSettings;
  readonly source: Source;
  readonly missing: readonly string[];
  readonly programs: Programs;
  readonly began: Date;
  /** Where it is written. */
  readonly partial: string;
}

async function refuseFullDisk(path: string, source: Source, options: DumpOptions): Promise<void> {
  const disk = await statfs(dirname(path));
  const free = disk.bavail * disk.bsize;
  const least = source.tableBytes * (options.compression === "none" ? 0.7 : 0.05); // jsonb text shrinks up to 20 times
  if (free < least)
    throw new RefusedError(
      `The dump of ${formatBytes(source.tableBytes)} in tables needs at least ${formatBytes(least)} in ` +
        `${dirname(path)}, where ${formatBytes(free)} are free.`,
    );
}

async function writePartial(work: Work, output: Output, signal: AbortSignal): Promise<void> {
  const { request, connection, source, programs, partial } = work;
  const begun: string[] = [];
  const errors: string[] = [];
  using _ = reportProgress(output, "dump", async () => ({
    ...tablesDone(begun, source.tableSizes, request.options.jobs),
    total: source.tables,
    bytes: await bytesAt(partial),
  }));
  await using _syncing = syncWhileWriting(partial);
  const code = await runProgram({
    programs,
    program: "pg_dump",
    args: dumpArguments(request.options, programs, partial),
    connection,
    signal,
    onLine: (line) => {
      const [, table] = line.match(/^pg_dump: dumping contents of table "(.*)"$/) ?? [];
      if (table !== undefined) begun.push(table);
      else if (/^pg_dump: (warning|error|detail|hint)/.test(line)) errors.push(line);
    },
  });
  if (code === 0) return;
  const said = errors.join("\n  ") || `pg_dump ended with ${code}`;
  throw new UserError(
    `The dump of ${describe(connection)} failed:\n  ${said}\nNothing is left at ${request.path}.`,
  );
}

async function verified(work: Work, signal: AbortSignal): Promise<DumpReport> {
  const { source, began } = work;
  const { options, path, label, stack } = work.request;
  const { archive, checksum } = await readWhole(work.partial, work.programs, signal);
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
    missing: work.missing,
    tableRows: tables.map(({ schema, name, rows }) => ({ schema: schema ?? "", name, rows })),
  };
}

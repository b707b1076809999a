import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectionSettings } from "../connection.ts";
import { entryLabel } from "../dump/archive.ts";
import type { ArchiveEntry } from "../dump/archive-parser.ts";
import { runProgram } from "../dump/run-program.ts";
import type { Programs } from "../server/programs.ts";
import { UserError } from "../user-error.ts";
import { type Failure, FailureReader, isDispensable } from "./failures.ts";

/** One run of pg_restore over chosen entries of a dump. */
export interface Load {
  readonly programs: Programs;
  readonly path: string;
  readonly connection: ConnectionSettings;
  /** The role that makes and owns the objects; undefined: the connection's own user. */
  readonly role: string | undefined;
  readonly entries: readonly ArchiveEntry[];
  readonly sections: readonly ("pre-data" | "data" | "post-data")[];
  readonly jobs: number;
  readonly tablespaces: boolean;
  readonly signal: AbortSignal;
  /** Called as pg_restore begins the rows of a table. */
  readonly onTable?: () => void;
}

/**
 * For these sessions alone: a restore that is lost is begun again, so its commits need not wait for the disk, and
 * indexes are built in memory where they fit.
 */
const sessionSettings = { synchronous_commit: "off", maintenance_work_mem: "256MB" };

/**
 * Loads the entries. Gives the objects that could not be made while the rest is right (constraints, indexes, …);
 * the first other failure stops pg_restore and is thrown.
 */
export async function load(load: Load): Promise<Failure[]> {
  if (load.entries.length === 0) return [];
  const folder = await mkdtemp(join(tmpdir(), "pgstack-restore-"));
  try {
    const list = join(folder, "list");
    await writeFile(list, load.entries.map(({ id }) => `${id}; 0 0 -\n`).join(""));
    return await runRestore(load, list);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function restoreArguments(load: Load, list: string): string[] {
  return [
    "--no-owner",
    "--no-privileges",
    "--verbose",
    `--use-list=${list}`,
    `--jobs=${load.jobs}`,
    `--dbname=${load.connection.database}`,
    ...(load.role === undefined ? [] : [`--role=${load.role}`]),
    ...(load.tablespaces ? [] : ["--no-tablespaces"]),
    ...load.sections.map((section) => `--section=${section}`),
    load.path,
  ];
}

async function runRestore(load: Load, list: string): Promise<Failure[]> {
  const reader = new FailureReader(load.entries);
  const stop = new AbortController();
  const onLine = (line: string) => {
    if (/^pg_restore: processing data for table /.test(line)) load.onTable?.();
    const failure = reader.line(line);
    if (failure !== undefined && !isDispensable(failure)) stop.abort();
  };
  const code = await runProgram({
    programs: load.programs,
    program: "pg_restore",
    args: restoreArguments(load, list),
    connection: load.connection,
    sessionSettings,
    signal: AbortSignal.any([load.signal, stop.signal]),
    onLine,
  }).catch((error) => {
    load.signal.throwIfAborted();
    if (!stop.signal.aborted) throw error;
    return 1;
  });
  const fatal = reader.failures.find((failure) => !isDispensable(failure));
  if (fatal !== undefined) throw new UserError(failureText(fatal));
  if (code !== 0 && reader.failures.length === 0) throw new UserError(`pg_restore ended with ${code}`);
  return reader.failures;
}

/** One failure for people: the object, then PostgreSQL's message. */
export function failureText({ entry, message }: Failure): string {
  return entry === undefined ? message : `${entryLabel(entry)}: ${message}`;
}

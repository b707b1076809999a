import { useEntryList, withEntryList } from "../../dump/archive/entry-list.ts";
import type { ArchiveEntry } from "../../dump/archive/parser.ts";
import type { ConnectionSettings } from "../../postgres/connection.ts";
import type { Programs } from "../../postgres/programs.ts";
import { runProgram } from "../../postgres/run-program.ts";
import { UserError } from "../../util/errors.ts";
import type { RestoreContext } from "../context.ts";
import { missingTablespaces } from "../preflight/checks.ts";
import { type Failure, FailureReader, failureText, isDispensable } from "./failures.ts";

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
  /** Megabytes for the building of an index; the server's own setting where it is not given. */
  readonly indexMemory?: number;
  readonly signal: AbortSignal;
  /** Called with `schema.name` as pg_restore begins the rows of a table. */
  readonly onTable?: (name: string) => void;
}

/** The loading of chosen entries, as the owner unless it is said otherwise. */
export function loading(context: RestoreContext, entries: readonly ArchiveEntry[]): Load {
  const { prepared, request, fresh, signal, onTable } = context;
  return {
    programs: prepared.programs,
    path: request.path,
    connection: fresh.admin,
    role: request.owner,
    entries,
    sections: ["pre-data", "data", "post-data"],
    jobs: request.jobs,
    tablespaces: missingTablespaces(prepared.facts, prepared.dump.archive).length === 0,
    signal,
    onTable,
  };
}

/** For these sessions alone: a restore that is lost is begun again, so its commits need not wait for the disk. */
export const sessionSettings = { synchronous_commit: "off" };

/**
 * Loads the entries. Gives the objects that could not be made while the rest is right (constraints, indexes, …);
 * the first other failure stops pg_restore and is thrown.
 */
export async function load(load: Load): Promise<Failure[]> {
  if (load.entries.length === 0) return [];
  return withEntryList(load.entries, (list) => runRestore(load, list));
}

function restoreArguments(load: Load): string[] {
  return [
    "--no-owner",
    "--no-privileges",
    "--verbose",
    useEntryList,
    `--jobs=${load.jobs}`,
    `--dbname=${load.connection.database}`,
    ...(load.role === undefined ? [] : [`--role=${load.role}`]),
    ...(load.tablespaces ? [] : ["--no-tablespaces"]),
    ...load.sections.map((section) => `--section=${section}`),
    "--",
    load.path,
  ];
}

async function runRestore(load: Load, list: number): Promise<Failure[]> {
  const reader = new FailureReader(load.entries);
  const stop = new AbortController();
  const onLine = (line: string) => {
    const [, table] = line.match(/^pg_restore: processing data for table "(.*)"$/) ?? [];
    if (table !== undefined) load.onTable?.(table);
    const failure = reader.line(line);
    if (failure !== undefined && !isDispensable(failure)) stop.abort();
  };
  const code = await runProgram({
    programs: load.programs,
    program: "pg_restore",
    args: restoreArguments(load),
    input: list,
    connection: load.connection,
    sessionSettings: {
      ...sessionSettings,
      ...(load.indexMemory !== undefined && { maintenance_work_mem: `${load.indexMemory}MB` }),
    },
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

/** Loads side by side. The first that fails ends the others, and is thrown once they have ended. */
export async function loadTogether(loads: readonly Load[]): Promise<Failure[]> {
  const stop = new AbortController();
  const thrown: unknown[] = [];
  const failures = await Promise.all(
    loads.map((one) =>
      load({ ...one, signal: AbortSignal.any([one.signal, stop.signal]) }).catch((error) => {
        thrown.push(error);
        stop.abort();
        return [];
      }),
    ),
  );
  if (thrown.length > 0) throw thrown[0];
  return failures.flat();
}

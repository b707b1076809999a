import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { childEnvironment } from "../util/child-environment.ts";
import { UserError } from "../util/errors.ts";
import { type ConnectionSettings, environmentOf, loggedIn, programOptions } from "./connection.ts";
import type { Programs } from "./programs.ts";

/** One run of pg_dump or pg_restore. */
export interface ProgramRun {
  readonly programs: Programs;
  readonly program: "pg_dump" | "pg_restore";
  readonly args: readonly string[];
  /** Where the program connects to; a run on a file alone has none. */
  readonly connection?: ConnectionSettings | undefined;
  /** Server settings of its sessions (`-c name=value`, PGOPTIONS). */
  readonly sessionSettings?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** An open file that the program reads as its standard input. */
  readonly input?: number | undefined;
  /** Each line of standard error as it comes. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** Reads standard output; without it, that is thrown away. */
  readonly onOutput?: ((output: Readable) => Promise<void>) | undefined;
}

/**
 * The whole environment of pg_dump or pg_restore: the connection that this run has decided on, sessions without time limits, and
 * nothing of the user's `PG*` variables. Messages are in English, since they are read back.
 * @param settings further server settings of its sessions
 */
export function programEnvironment(
  connection?: ConnectionSettings,
  settings?: Readonly<Record<string, string>>,
): Record<string, string> {
  if (connection === undefined) return childEnvironment({ LC_ALL: "C" });
  const options = programOptions(connection, settings);
  return childEnvironment({
    LC_ALL: "C",
    ...environmentOf(connection),
    ...(options !== undefined && { PGOPTIONS: options }),
  });
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}

/** Runs one program to its end and gives its exit code; an aborted run throws the signal's reason. */
export async function runProgram(run: ProgramRun): Promise<number> {
  run.signal?.throwIfAborted();
  const child = spawn(join(run.programs.directory, run.program), run.args, {
    env: programEnvironment(run.connection && (await loggedIn(run.connection)), run.sessionSettings),
    stdio: [run.input ?? "ignore", run.onOutput === undefined ? "ignore" : "pipe", "pipe"],
  });
  const stop = () => child.kill("SIGTERM");
  run.signal?.addEventListener("abort", stop);
  try {
    const lines = createInterface({ input: child.stderr as Readable });
    lines.on("line", (line) => run.onLine?.(line));
    const output = run.onOutput?.(child.stdout as Readable).catch((error) => {
      stop();
      throw error;
    });
    const [end] = await Promise.all([ended(child), output]);
    run.signal?.throwIfAborted();
    if (end.signal !== null) throw new UserError(`${run.program} was ended by ${end.signal}`);
    return end.code ?? 1;
  } finally {
    run.signal?.removeEventListener("abort", stop);
  }
}

/**
 * Lends a signal that aborts when the process is asked to end (Ctrl-C, SIGTERM), so that what `use` began is
 * cleaned up before it ends. A second request is left to the system's default.
 */
export async function withInterrupt<T>(use: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = (name: NodeJS.Signals) => controller.abort(new UserError(`Interrupted by ${name}`));
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of names) process.once(name, abort);
  try {
    return await use(controller.signal);
  } finally {
    for (const name of names) process.removeListener(name, abort);
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { UserError } from "../util/errors.ts";
import { type ConnectionSettings, environmentOf } from "./connection.ts";
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

function environmentFor(run: ProgramRun): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PG|PULUMI_)/.test(name));
  const settings = Object.entries(run.sessionSettings ?? {}).map(([name, value]) => `-c ${name}=${value}`);
  return {
    ...Object.fromEntries(inherited),
    LC_ALL: "C", // messages are read back, so they must not be translated
    ...(run.connection === undefined ? {} : environmentOf(run.connection)),
    ...(settings.length === 0 ? {} : { PGOPTIONS: settings.join(" ") }),
  };
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
    env: environmentFor(run),
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

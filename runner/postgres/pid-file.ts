import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The folder above a cluster's `data`. */
export interface DataPlace {
  readonly directory: string;
}

/** What a file holds that may go at any moment; nothing where it is gone. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return "";
    throw error;
  }
}

function pidFile({ directory }: DataPlace): string {
  return join(directory, "data", "postmaster.pid");
}

const linesOf = (place: DataPlace) => textOf(pidFile(place)).split("\n");

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A zombie has no command line; another program that got the number, after a reboot say, has one of its own. */
function isServer(pid: number): boolean {
  if (!existsSync("/proc/self/cmdline")) return true; // a system that does not tell
  return textOf(`/proc/${pid}/cmdline`).split("\0")[0]?.includes("postgres") === true;
}

/** The process of a running server, or undefined. */
export function serverProcess(place: DataPlace): number | undefined {
  const pid = Number(linesOf(place)[0]);
  return pid > 0 && exists(pid) && isServer(pid) ? pid : undefined;
}

/** The port of a running server, or undefined. */
export function runningPort(place: DataPlace): number | undefined {
  return serverProcess(place) === undefined ? undefined : Number(linesOf(place)[3]);
}

/** Whether the server takes connections, as it says itself. */
export function isReady(place: DataPlace): boolean {
  return /^(ready|standby)/.test(linesOf(place)[7] ?? "");
}

/** A number that no process has: greater than any that a system gives. */
const nobody = 2 ** 31 - 1;

/**
 * PostgreSQL takes a killed server for a running one as long as its number is in use: by its own zombie, which stays
 * where nobody reaps orphans (in a container, say), or by another program. The rest of the file stays as it is:
 * by it PostgreSQL finds sessions that outlived the server.
 */
export function forgetDeadServer(place: DataPlace): void {
  const [pid, ...rest] = linesOf(place);
  if (Number(pid) > 0 && serverProcess(place) === undefined)
    writeFileSync(pidFile(place), [nobody, ...rest].join("\n"));
}

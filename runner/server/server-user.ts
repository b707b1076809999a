import { execFileSync } from "node:child_process";
import { chownSync } from "node:fs";
import { UserError } from "../user-error.ts";

/** The account that a server runs under. */
export interface ServerUser {
  /** Gives a file or folder to the account. */
  readonly own: (path: string) => void;
  /** The program and arguments that run `command` as the account, able to reach `directory`. */
  readonly as: (directory: string, command: readonly string[]) => [string, string[]];
}

const self: ServerUser = { own: () => {}, as: (_, [program = "", ...args]) => [program, args] };

function idOf(name: string, flag: "-u" | "-g"): number {
  return Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
}

function unprivilegedAccount(): { uid: number; gid: number } {
  for (const name of ["postgres", "nobody"]) {
    try {
      return { uid: idOf(name, "-u"), gid: idOf(name, "-g") };
    } catch {}
  }
  throw new UserError(
    "PostgreSQL refuses to run as root, and there is no user named postgres or nobody to run it as",
  );
}

/** The arguments of setpriv that let the account enter `directory`. */
function entry(account: string[], directory: string): string[] {
  const entering = [...account, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"];
  const fit = [account, entering].find((prefix) => reaches(prefix, directory));
  if (fit !== undefined) return fit;
  throw new UserError(
    `The server runs as an unprivileged user, who may not enter ${directory}. ` +
      "Move the project to a folder that every user may enter, or run as an ordinary user.",
  );
}

function reaches(prefix: string[], directory: string): boolean {
  try {
    execFileSync("setpriv", [...prefix, "stat", `${directory}/.`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/**
 * The present user, or, since initdb and postgres refuse root, an unprivileged one where that is root.
 * A project below a folder that only root may enter (/root, a temporary directory) is reached by the
 * capability CAP_DAC_READ_SEARCH, which is given only there.
 */
export function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return self;
  const { uid, gid } = unprivilegedAccount();
  const plain = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  return {
    own: (path) => chownSync(path, uid, gid),
    as: (directory, command) => ["setpriv", [...entry(plain, directory), ...command]],
  };
}

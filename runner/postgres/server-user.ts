import { execFileSync } from "node:child_process";
import { chownSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { childEnvironment } from "../util/child-environment.ts";
import { UserError } from "../util/errors.ts";

/** The account that a server runs under. */
export interface ServerUser {
  /** Gives a file or folder to the account. */
  readonly own: (path: string) => void;
  /** The program and arguments that run `command` as the account, able to reach `directory`, which is its own. */
  readonly as: (directory: string, command: readonly string[]) => [string, string[]];
}

const self: ServerUser = { own: () => {}, as: (_, [program = "", ...args]) => [program, args] };

function unprivilegedAccount(): { uid: number; gid: number } {
  for (const name of ["postgres", "nobody"]) {
    try {
      const answer = execFileSync("id", [name], {
        encoding: "utf8",
        env: childEnvironment(),
        stdio: ["ignore", "pipe", "ignore"],
      });
      const [, uid, gid] = answer.match(/^uid=(\d+).*? gid=(\d+)/) ?? [];
      if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
    } catch {}
  }
  throw new UserError(
    "PostgreSQL refuses to run as root, and there is no user named postgres or nobody to run it as",
  );
}

/** True where every user may enter a folder, and all folders above it. */
function isOpen(folder: string): boolean {
  if ((statSync(folder).mode & 0o001) === 0) return false;
  return dirname(folder) === folder || isOpen(dirname(folder));
}

/** The arguments of setpriv that let the account enter the folder above `directory`, which is its own. */
function entry(account: string[], directory: string): string[] {
  const folder = realpathSync(dirname(directory));
  if (isOpen(folder)) return account;
  const entering = [...account, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"];
  const fit = [account, entering].find((prefix) => enters(prefix, folder));
  if (fit !== undefined) return fit;
  throw new UserError(
    `The server runs as an unprivileged user, who may not enter ${folder}. ` +
      "Move the project to a folder that every user may enter, or run as an ordinary user.",
  );
}

function enters(prefix: string[], folder: string): boolean {
  try {
    execFileSync("setpriv", [...prefix, "stat", `${folder}/.`], {
      env: childEnvironment(),
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}

function unprivileged(): ServerUser {
  const { uid, gid } = unprivilegedAccount();
  const plain = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  return {
    own: (path) => chownSync(path, uid, gid),
    as: (directory, command) => ["setpriv", [...entry(plain, directory), ...command]],
  };
}

let known: ServerUser | undefined;

/**
 * The present user, or, since initdb and postgres refuse root, an unprivileged one where that is root.
 * A project below a folder that only root may enter (/root, a temporary directory) is reached by the
 * capability CAP_DAC_READ_SEARCH, which is given only there.
 */
export function serverUser(): ServerUser {
  known ??= process.getuid?.() === 0 ? unprivileged() : self;
  return known;
}

import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Programs } from "../server/programs.ts";
import { serverUser } from "../server/server-user.ts";

const run = promisify(execFile);

/** Options of initdb; the template's name carries their digest, so that a change makes a new template. */
const initdbOptions = [
  "--username=postgres",
  "--auth=trust", // reached through a socket in a folder that only its owner may enter
  "--encoding=UTF8",
  "--no-locale",
  "--no-sync",
  "--wal-segsize=1",
] as const;

/** Where what can be made again is kept: XDG_CACHE_HOME, else ~/.cache. */
function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "pgstack", "scratch");
}

/** The files of a fresh cluster, as a folder `data` in an archive: to unpack one is twice as quick as to copy a folder. */
export const templateArchive = "data.tar";

/** Makes the template, because initdb takes longer than all else that a revision does. Safe with two runs at once. */
export async function makeScratchTemplate(programs: Programs, place: string): Promise<void> {
  const account = serverUser();
  const made = `${place}.${randomBytes(6).toString("hex")}`;
  mkdirSync(made, { recursive: true, mode: 0o700 });
  try {
    account.own(made);
    const initdb = [join(programs.directory, "initdb"), `--pgdata=${join(made, "data")}`, ...initdbOptions];
    const [file, args] = account.as(made, initdb);
    await run(file, args, { cwd: "/", env: { ...process.env, LC_ALL: "C" } });
    await run("tar", ["-cf", join(made, templateArchive), "-C", made, "data"]);
    rmSync(join(made, "data"), { recursive: true });
    renameSync(made, place);
  } catch (error) {
    if (!existsSync(place)) throw error; // another run was quicker
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/**
 * Where the files of a fresh cluster of this version are kept, in the user's cache: a folder with the archive, and room
 * for what else is kept. It is complete whenever it exists.
 */
export function scratchTemplatePlace(programs: Programs): string {
  const key = [programs.version, programs.directory, process.arch, templateArchive, ...initdbOptions].join(
    "\n",
  );
  const digest = createHash("sha256").update(key).digest("hex").slice(0, 12);
  return join(cacheDirectory(), `${programs.version}-${digest}`);
}

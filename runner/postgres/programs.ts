import { execFile } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { childEnvironment } from "../util/child-environment.ts";
import { RefusedError, UserError } from "../util/errors.ts";

const run = promisify(execFile);

/** Where Debian, PGDG for Red Hat, Homebrew and Postgres.app put the programs of each major version. */
const versionedDirectories = [
  ["/usr/lib/postgresql", "bin"],
  ["/usr", "bin", "pgsql-"],
  ["/opt/homebrew/opt", "bin", "postgresql@"],
  ["/usr/local/opt", "bin", "postgresql@"],
  ["/Applications/Postgres.app/Contents/Versions", "bin"],
] as const;

/** The PostgreSQL programs of one version. */
export interface Programs {
  /** Folder with `postgres`, `pg_dump`, … */
  readonly directory: string;
  /** Major version, such as 15. */
  readonly major: number;
  /** As the programs print it, such as "15.18". */
  readonly version: string;
}

function candidates(): string[] {
  const versioned = versionedDirectories.flatMap(([root, bin, prefix = ""]) =>
    existsSync(root)
      ? readdirSync(root)
          .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
          .map((name) => join(root, name, bin))
      : [],
  );
  return [...versioned, ...(process.env.PATH ?? "").split(delimiter)];
}

/** The folder that a program is in, whatever links lead there. Debian's links to a script that chooses a version lead nowhere. */
function homeOf(directory: string, program: string): string[] {
  const path = join(directory, program);
  if (!existsSync(path)) return [];
  const real = realpathSync(path);
  return basename(real) === program ? [dirname(real)] : [];
}

/** The programs in a folder, by what one of them says of its version. Undefined where it does not run. */
export async function readVersion(directory: string, program: string): Promise<Programs | undefined> {
  const answer = await run(join(directory, program), ["--version"], { env: childEnvironment() }).catch(
    () => undefined,
  );
  const version = answer?.stdout.match(/\(PostgreSQL\) (\S+)/)?.[1];
  return version === undefined ? undefined : { directory, version, major: Number.parseInt(version, 10) };
}

/** Every installed version that has `program`, newest first. */
export async function installedPrograms(program = "pg_dump"): Promise<Programs[]> {
  const directories = new Set(candidates().flatMap((directory) => homeOf(directory, program)));
  const found = await Promise.all([...directories].map((directory) => readVersion(directory, program)));
  return found.filter((one) => one !== undefined).sort((a, b) => b.major - a.major);
}

/**
 * The one of these versions that fits: of the given major version, or the newest. Throws UserError that says what to install.
 * @param program what is needed of it (`postgres`, `pg_dump`, …)
 */
export function choosePrograms(
  found: readonly Programs[],
  program: string,
  wanted?: { major: number },
): Programs {
  const fit = wanted === undefined ? found[0] : found.find(({ major }) => major === wanted.major);
  if (fit !== undefined) return fit;
  const version = wanted === undefined ? "" : ` ${wanted.major}`;
  const present = found.length === 0 ? "none" : found.map((one) => one.version).join(", ");
  throw new UserError(
    `PostgreSQL${version}'s program "${program}" is needed, found: ${present}. ` +
      `Install PostgreSQL${version} (Debian: apt-get install postgresql${version.replace(" ", "-")}; ` +
      `macOS: brew install postgresql@${wanted?.major ?? 18}).`,
  );
}

/** Looks for the folder with `program` and chooses, as `choosePrograms` does. */
export async function findPrograms(program: string, wanted?: { major: number }): Promise<Programs> {
  return choosePrograms(await installedPrograms(program), program, wanted);
}

/**
 * The oldest installed pg_dump that can read this server: a newer one writes dumps that fewer servers take.
 * Throws RefusedError with both versions.
 */
export async function pgDumpFor(server: Pick<Programs, "version" | "major">): Promise<Programs> {
  const found = await installedPrograms("pg_dump");
  const fit = found.filter((programs) => programs.major >= server.major).at(-1);
  if (fit !== undefined) return fit;
  const present = found[0] ? `the newest pg_dump here is ${found[0].version}` : "there is no pg_dump here";
  throw new RefusedError(
    `The server is PostgreSQL ${server.version} and ${present}: the schema or the rows of a database are read by a pg_dump that ` +
      `is not older than the server. Install PostgreSQL ${server.major}'s client programs (Debian: apt-get install ` +
      `postgresql-client-${server.major}, from apt.postgresql.org where Debian's own are older; macOS: brew install libpq).`,
  );
}

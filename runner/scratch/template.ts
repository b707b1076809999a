import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Programs } from "../postgres/programs.ts";
import { serverUser } from "../postgres/server-user.ts";
import { childEnvironment } from "../util/child-environment.ts";

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

/** What it lacks of them: the files of the database template0, which only a third database needs. */
export const emptyDatabaseArchive = "template0.tar";

/** What the server makes when it needs it (maps of free space and of visible rows, WAL to come): less to unpack. */
function dispensable(made: string): string[] {
  const [, ...later] = readdirSync(join(made, "data", "pg_wal"))
    .filter(isSegment)
    .sort();
  return ["*_fsm", "*_vm", ...later.map((segment) => `data/pg_wal/${segment}`)];
}

const isSegment = (name: string) => /^[0-9A-F]{24}$/.test(name);

/** The folder of template0: initdb makes template1, template0 and postgres in this order, and numbers them so. */
function emptyDatabase(made: string): string {
  const [, template0 = ""] = readdirSync(join(made, "data", "base")).sort((a, b) => Number(a) - Number(b));
  return `data/base/${template0}`;
}

/** Comments on what PostgreSQL brings: pg_dump reads all of them to leave them out. */
const withoutBuiltInComments = `
DELETE FROM pg_description WHERE objoid < 16384 AND classoid IN (SELECT unnest('{pg_proc,pg_operator,pg_collation,pg_conversion,pg_type}'::regclass[]))
VACUUM FULL pg_description
`;

/** In single-user mode a line is a statement. */
async function lighten({ directory }: Programs, made: string): Promise<void> {
  for (const database of ["template1", "postgres"]) {
    const server = [join(directory, "postgres"), "--single", "-D", join(made, "data"), database];
    const [file, args] = serverUser().as(made, server);
    const running = run(file, args, { cwd: "/", env: childEnvironment({ LC_ALL: "C" }) });
    running.child.stdin?.end(withoutBuiltInComments.trimStart());
    await running;
  }
}

async function pack(made: string): Promise<void> {
  const apart = emptyDatabase(made);
  const excluded = [...dispensable(made), apart].map((pattern) => `--exclude=${pattern}`);
  await run("tar", ["-cf", join(made, emptyDatabaseArchive), "-C", made, apart], { env: childEnvironment() });
  await run("tar", [...excluded, "-cf", join(made, templateArchive), "-C", made, "data"], {
    env: childEnvironment(),
  });
  rmSync(join(made, "data"), { recursive: true });
}

/** Makes the template, because initdb takes longer than all else that a revision does. Safe with two runs at once. */
export async function makeScratchTemplate(programs: Programs, place: string): Promise<void> {
  const account = serverUser();
  const made = `${place}.${randomBytes(6).toString("hex")}`;
  mkdirSync(made, { recursive: true, mode: 0o700 });
  try {
    account.own(made);
    const initdb = [join(programs.directory, "initdb"), `--pgdata=${join(made, "data")}`, ...initdbOptions];
    const [file, args] = account.as(made, initdb);
    await run(file, args, { cwd: "/", env: childEnvironment({ LC_ALL: "C" }) });
    await lighten(programs, made);
    await pack(made);
    renameSync(made, place);
  } catch (error) {
    if (!existsSync(place)) throw error; // another run was quicker
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/**
 * Where the files of a fresh cluster of this version are kept, in the user's cache: a folder with the archives, and room
 * for what else is kept. It is complete whenever it exists.
 */
export function scratchTemplatePlace(programs: Programs): string {
  const made = [templateArchive, emptyDatabaseArchive, withoutBuiltInComments, ...initdbOptions];
  const key = [programs.version, programs.directory, process.arch, ...made].join("\n");
  const digest = createHash("sha256").update(key).digest("hex").slice(0, 12);
  return join(cacheDirectory(), `${programs.version}-${digest}`);
}

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { RefusedError, UserError } from "../../runner/util/errors.ts";
import { packageRoot } from "../../runner/util/project.ts";
import type { Project } from "../project.ts";

/** Variables that plain `pulumi` needs to do what `./pgstack` does; `./pgstack env` prints them. */
export type PulumiEnvironment = Readonly<Record<string, string>>;

function cacheOf({ state }: Project): string {
  return join(process.env.XDG_CACHE_HOME || join(process.env.HOME || state, ".cache"), "pgstack");
}

function findProgram(name: string): string | undefined {
  const directories = (process.env.PATH ?? "").split(delimiter).filter((directory) => directory !== "");
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/** A checkout has it; an installed package leaves programs to the user. */
const installer = join(packageRoot, "toolchain/install.sh");

/**
 * Runs `toolchain/install.sh`, which brings in what is missing and says so on standard error.
 * @returns what it printed
 */
export function bringIn(what: "pulumi" | "postgresql" | "pgbouncer" | "sshd" | "chromium"): string {
  if (!existsSync(installer))
    throw new RefusedError(
      `${what} is needed, and is not on PATH. Pulumi: https://www.pulumi.com/docs/install/; PostgreSQL: https://www.postgresql.org/download/`,
    );
  const { status, stdout, error } = spawnSync("sh", [installer, what], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  if (status === 2) throw new RefusedError(`${what} is missing; the line above says how to get it.`);
  if (status !== 0) throw new UserError(`${what} could not be brought in; the lines above say why.`);
  return stdout.trim();
}

/** The folder of the pulumi to use, where it is not the user's own on PATH. */
function toolchainOf(project: Project): string | undefined {
  const found = findProgram("pulumi");
  const isOurs = found?.startsWith(cacheOf(project) + sep) === true && existsSync(installer);
  if (found !== undefined && !isOurs) return undefined;
  return bringIn("pulumi") || undefined;
}

function credentialsFolder(): string {
  const home = process.env.PULUMI_HOME || join(process.env.HOME || homedir(), ".pulumi");
  return process.env.PULUMI_CREDENTIALS_PATH || home;
}

/** Where the user has logged in; undefined where nowhere. `pulumi whoami` would tell as well, and takes 0.25 s. */
function loginOf(): string | undefined {
  try {
    const { current } = JSON.parse(readFileSync(join(credentialsFolder(), "credentials.json"), "utf8"));
    return typeof current === "string" && current !== "" ? current : undefined;
  } catch {
    return undefined;
  }
}

/** The backend that the user has chosen: by variable, Pulumi.yaml or login, as Pulumi looks for it. */
function chosenBackend({ backend }: Project): string | undefined {
  return process.env.PULUMI_BACKEND_URL || backend || loginOf();
}

/** Without a choice of the user's, state lives in .pgstack/. */
function ownBackend({ state }: Project): string {
  const folder = join(state, "backend");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return pathToFileURL(folder).href;
}

/** A passphrase of this checkout's own, since a stack that holds secrets needs one. Two runs at once agree on one. */
function makePassphrase(state: string): string {
  const file = join(state, "passphrase");
  if (existsSync(file) && statSync(file).size > 0) return file;
  const own = `${file}.${process.pid}`;
  mkdirSync(state, { recursive: true });
  writeFileSync(own, `${randomBytes(24).toString("base64")}\n`, { mode: 0o600 });
  try {
    linkSync(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(own);
  }
  return file;
}

/** A file backend keeps secrets by a passphrase. */
function passphraseOf({ state }: Project, backend: string): PulumiEnvironment {
  const { PULUMI_CONFIG_PASSPHRASE: own, PULUMI_CONFIG_PASSPHRASE_FILE: file } = process.env;
  if (!backend.startsWith("file:") || own !== undefined || file !== undefined) return {};
  return { PULUMI_CONFIG_PASSPHRASE_FILE: makePassphrase(state) };
}

/** A toolchain that was built here brings its plugins in a Pulumi home of its own; logins stay where they are. */
function homeOf(toolchain: string | undefined): PulumiEnvironment {
  if (toolchain === undefined || !existsSync(join(dirname(toolchain), "complete"))) return {};
  return {
    PULUMI_CREDENTIALS_PATH: credentialsFolder(),
    PULUMI_HOME: dirname(toolchain),
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}

function pathWith(directory: string | undefined): string {
  const others = (process.env.PATH ?? "").split(delimiter).filter((one) => one !== directory);
  return [...(directory === undefined ? [] : [directory]), ...others].join(delimiter);
}

/** How this run calls pulumi. */
export interface PulumiSetting {
  /** Variables for it; `./pgstack env` prints them. */
  readonly environment: PulumiEnvironment;
  /** Where state is kept. */
  readonly backend: string;
}

/** Finds pulumi, or brings it in, and says by which variables it works on this project. */
export function pulumiSetting(project: Project): PulumiSetting {
  const toolchain = toolchainOf(project);
  const chosen = chosenBackend(project);
  const backend = chosen ?? ownBackend(project);
  const environment = {
    PATH: pathWith(toolchain),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(cacheOf(project), "node"),
    ...homeOf(toolchain),
    ...(chosen === undefined && { PULUMI_BACKEND_URL: backend }),
    ...passphraseOf(project, backend),
  };
  return { environment, backend };
}

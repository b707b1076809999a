import { execFile } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { childEnvironment } from "../util/child-environment.ts";
import { UserError } from "../util/errors.ts";
import { projectRoot } from "../util/project.ts";
import { type DataPlace, forgetDeadServer, isReady, serverProcess } from "./pid-file.ts";
import type { Programs } from "./programs.ts";
import { serverUser } from "./server-user.ts";

const run = promisify(execFile);

/** A cluster below `directory`: its files in `data`, its log in `server.log`. */
export interface ClusterPlace {
  readonly directory: string;
  readonly programs: Programs;
}

/** Settings of the server's configuration file, by name. */
export type ServerSettings = Readonly<Record<string, string | number | boolean>>;

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.on("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/**
 * A port on loopback that nothing listens on at this moment, chosen at random below those that systems give to outgoing
 * connections: one of these would soon be taken again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    if (await canListen(port)) return port;
  }
}

/** Runs a program of the cluster as the account that owns its files. */
async function runProgram(place: ClusterPlace, program: string, args: string[]): Promise<string> {
  const [file, words] = serverUser().as(place.directory, [join(place.programs.directory, program), ...args]);
  const env = childEnvironment({ LC_ALL: "C", HOME: place.directory }); // a server that subscribes looks for certificates there
  const { stdout } = await run(file, words, { cwd: "/", env });
  return stdout;
}

/** Capitals and order of letters beyond ASCII, where the platform has a locale that needs no language pack. */
function localeOptions(major: number): string[] {
  if (major >= 17) return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
  return process.platform === "linux" ? ["--locale=C.UTF-8"] : ["--no-locale"];
}

/**
 * Makes a cluster with SCRAM passwords and data checksums, in a folder beside and renamed when complete, so
 * that a killed run leaves nothing under the final name.
 * @param beforeRename called with the cluster's folder once its files are complete
 */
export async function createCluster(
  place: ClusterPlace,
  password: string,
  beforeRename: (directory: string) => void = () => {},
): Promise<void> {
  const account = serverUser();
  mkdirSync(dirname(place.directory), { recursive: true });
  mkdirSync(place.directory, { recursive: true, mode: 0o700 });
  account.own(place.directory);
  const unique = randomBytes(6).toString("hex");
  const made = join(place.directory, `data.${unique}`);
  const passwordFile = join(place.directory, `password.${unique}`);
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 });
    account.own(passwordFile);
    const options = [
      "--auth=scram-sha-256",
      "--data-checksums",
      "--encoding=UTF8",
      "--no-locale",
      "--no-sync",
    ];
    await runProgram(place, "initdb", [
      `--pgdata=${made}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      ...options,
      ...localeOptions(place.programs.major),
    ]);
    appendFileSync(join(made, "postgresql.conf"), "include 'pgstack.conf'\n");
    writeFileSync(join(made, "pgstack.conf"), "");
    account.own(join(made, "pgstack.conf"));
    beforeRename(place.directory);
    renameSync(made, join(place.directory, "data"));
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(made, { recursive: true, force: true });
  }
}

/** Writes the server's settings; they count from the next start. */
export function configureCluster(place: ClusterPlace, settings: ServerSettings): void {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  writeFileSync(settingsFile(place), lines.join(""));
}

const settingsFile = ({ directory }: DataPlace) => join(directory, "data", "pgstack.conf");

/**
 * Whether a port on loopback is that of a local instance (`.pgstack/<stack>/`) that does not run. Nothing but `up` or
 * `instance-start` starts one.
 */
export function isStoppedLocalCluster(host: string, port: number): boolean {
  const folder = join(projectRoot, ".pgstack");
  if (!["localhost", "127.0.0.1", "::1"].includes(host) || !existsSync(folder)) return false;
  const stopped = readdirSync(folder)
    .map((stack) => ({ directory: join(folder, stack) }))
    .filter((place) => existsSync(settingsFile(place)) && serverProcess(place) === undefined);
  return stopped.some((place) => readFileSync(settingsFile(place), "utf8").includes(`port = '${port}'\n`));
}

const logFile = ({ directory }: ClusterPlace) => join(directory, "server.log");
const readLog = (place: ClusterPlace) =>
  existsSync(logFile(place)) ? readFileSync(logFile(place), "utf8") : "";

function endOfLog(place: ClusterPlace): string {
  const lines = readLog(place).trimEnd().split("\n").slice(-8);
  return `Its log (${logFile(place)}) ends:\n  ${lines.join("\n  ")}`;
}

/** Waits for a server that someone else started. Throws UserError with the end of its log. */
export async function waitUntilReady(place: ClusterPlace): Promise<void> {
  for (const deadline = Date.now() + 60_000; !isReady(place); await sleep(20))
    if (serverProcess(place) === undefined || Date.now() > deadline)
      throw new UserError(`The server in ${place.directory} does not answer. ${endOfLog(place)}`);
}

async function tryStart(place: ClusterPlace): Promise<void> {
  const files = [`--pgdata=${join(place.directory, "data")}`, `--log=${logFile(place)}`];
  forgetDeadServer(place);
  try {
    await runProgram(place, "pg_ctl", ["start", "--wait", "--timeout=60", ...files]);
  } catch (error) {
    if (serverProcess(place) !== undefined) return waitUntilReady(place); // another start was quicker
    throw new UserError(`The server in ${place.directory} did not start. ${endOfLog(place)}`, {
      cause: error,
    });
  }
}

/** Sessions of a server that was killed notice that only after a while, and keep the next one from starting. */
const orphans = /pre-existing shared memory block .* is still in use/;

/** Starts the server and waits until it answers. Throws UserError with the end of its log. */
export async function startCluster(place: ClusterPlace): Promise<void> {
  for (const deadline = Date.now() + 30_000; ; await sleep(200)) {
    const before = readLog(place).length;
    try {
      return await tryStart(place);
    } catch (error) {
      const said = readLog(place).slice(before); // such sessions write there too
      if (!orphans.test(said) || Date.now() > deadline) throw error;
    }
  }
}

/** Ends the server at once, sessions included; a server that is not running is left as it is. */
export async function stopCluster(place: ClusterPlace): Promise<void> {
  if (serverProcess(place) === undefined) return;
  const data = join(place.directory, "data");
  await runProgram(place, "pg_ctl", ["stop", "--wait", "--timeout=60", "--mode=fast", `--pgdata=${data}`]);
}

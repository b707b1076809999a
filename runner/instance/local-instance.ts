import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import * as v from "valibot";
import {
  type ClusterPlace,
  configureCluster,
  createCluster,
  freePort,
  startCluster,
  stopCluster,
  waitUntilReady,
} from "../postgres/cluster.ts";
import { type ConnectionSettings, withClient } from "../postgres/connection.ts";
import { findServer } from "../postgres/embedded/server.ts";
import { runningPort } from "../postgres/pid-file.ts";
import { UserError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";
import { parseRequest } from "../util/request.ts";

const host = "127.0.0.1";

function versionOf(data: string): number | undefined {
  const file = join(data, "PG_VERSION");
  return existsSync(file) ? Number(readFileSync(file, "utf8")) : undefined;
}

async function placeOf({ directory }: InstanceSettings, log: (line: string) => void): Promise<ClusterPlace> {
  const path = projectPath(directory);
  const major = versionOf(join(path, "data"));
  const programs = await findServer(log, major === undefined ? undefined : { major });
  return { directory: path, programs };
}

/** Ours are the folders that hold the password we made, next to the data. */
function refuseForeign({ directory }: ClusterPlace): void {
  if (existsSync(join(directory, "data")) && !existsSync(join(directory, "admin-password")))
    throw new UserError(
      `Expected no data, or a local instance of pgstack, in ${directory}; found a data directory of something else. ` +
        "Move it away, or name the stack differently.",
    );
}

/** The password is on disk before the cluster is, so that a killed run can continue. */
function adminPassword({ directory }: ClusterPlace): string {
  const file = join(directory, "admin-password");
  return readFileSync(file, "utf8");
}

function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

async function makeOnce(place: ClusterPlace): Promise<void> {
  if (existsSync(join(place.directory, "data"))) return;
  const password = randomBytes(24).toString("base64url");
  await createCluster(place, password, (directory) => {
    writeWhole(join(directory, "admin-password"), password);
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => resolve(true)).on("error", () => resolve(false));
    socket.setTimeout(2000, () => resolve(false)).on("close", () => socket.destroy());
    socket.on("connect", () => socket.end());
  });
}

/** Where the server was last time, by its file for a start after a reboot; a run that was killed may not have written it. */
function keptPort(place: ClusterPlace): number | undefined {
  const file = join(place.directory, "instance.json");
  if (!existsSync(file)) return runningPort(place);
  return (JSON.parse(readFileSync(file, "utf8")) as InstanceSettings).port;
}

async function startOn(place: ClusterPlace, port: number): Promise<void> {
  const running = runningPort(place);
  if (running === port) return waitUntilReady(place);
  if (await isListening(port))
    throw new UserError(
      `Port ${port} on ${host} is taken by another program. Stop it, or choose another port: ` +
        "pulumi config set --path pgstack:instance.port PORT",
    );
  if (running !== undefined) await stopCluster(place);
  configureCluster(place, {
    listen_addresses: host,
    port,
    unix_socket_directories: "",
    password_encryption: "scram-sha-256",
    wal_level: "logical",
  });
  await startCluster(place);
}

/** The port to try first where the configuration names none, so that it is the same on most machines. */
const preferredPort = 54329;

/** Starts the server on a port that nobody has; of two that start at once, the later one looks for another. */
async function startAnywhere(place: ClusterPlace): Promise<number> {
  for (let tries = 0; ; tries++) {
    const port = tries > 0 || (await isListening(preferredPort)) ? await freePort() : preferredPort;
    try {
      await startOn(place, port);
      return port;
    } catch (error) {
      if (tries === 2) throw error;
    }
  }
}

/** @returns the port: the configured one, else the one of last time, else one that is free */
async function start(place: ClusterPlace, configured: number | undefined): Promise<number> {
  const port = configured ?? keptPort(place);
  if (port === undefined) return startAnywhere(place);
  await startOn(place, port);
  return port;
}

/**
 * Sees to it that the local instance exists, runs and answers on its port. Safe to repeat.
 * Throws UserError for a taken port, a folder that is not ours and a server that does not start.
 */
export async function ensureInstance(
  settings: InstanceSettings,
  log: (line: string) => void,
): Promise<ConnectionSettings> {
  const place = await placeOf(settings, log);
  refuseForeign(place);
  await makeOnce(place);
  const port = await start(place, settings.port);
  writeWhole(join(place.directory, "instance.json"), JSON.stringify({ ...settings, port })); // for a start after a reboot
  const password = adminPassword(place);
  const admin = { host, port, user: "postgres", password, database: "postgres" } as const;
  const connection: ConnectionSettings = { ...admin, sslMode: "disable" };
  await withClient(connection, (client) => client.query("SELECT 1"));
  return connection;
}

/** Stops the server and removes its files. What is not there, or not ours, is left as it is. */
export async function removeInstance(settings: InstanceSettings, log: (line: string) => void): Promise<void> {
  const path = projectPath(settings.directory);
  if (!existsSync(join(path, "admin-password"))) return;
  await stopCluster(await placeOf(settings, log));
  for (const name of ["data", "server.log", "instance.json", "admin-password"])
    rmSync(join(path, name), { recursive: true, force: true });
  if (readdirSync(path).length === 0) rmdirSync(path);
}

const InstanceRequest = v.object({
  /** Where its files live, relative to the project's root. */
  directory: v.string(),
  /** On loopback; without it one that is free is chosen once, and kept. */
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65535))),
});
/** What the resource of a local instance is made from. */
export type InstanceSettings = v.InferOutput<typeof InstanceRequest>;

/** Reads the JSON that a resource sends. Throws RefusedError where it is not the settings of an instance. */
export function parseInstanceSettings(json: string): InstanceSettings {
  return parseRequest(InstanceRequest, json, "the settings of a local instance");
}

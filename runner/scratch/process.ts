import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionSettings } from "../postgres/connection.ts";
import { isReady } from "../postgres/pid-file.ts";
import type { Programs } from "../postgres/programs.ts";
import { serverUser } from "../postgres/server-user.ts";
import { childEnvironment } from "../util/child-environment.ts";
import { UserError } from "../util/errors.ts";
import { emptyDatabaseArchive, templateArchive } from "./template.ts";

const serverSettings = {
  port: "5432", // part of the socket's name; without it PGPORT would count
  listen_addresses: "",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_logical_replication_workers: "0", // without a process that waits for subscriptions
  max_wal_senders: "0",
  autovacuum: "off",
  jit: "off",
  max_connections: "20",
  shared_buffers: "128MB", // what a large schema takes; of a small one no more is touched
  max_locks_per_transaction: "1024", // a copy of a large schema is made in one transaction
  log_min_messages: "fatal",
};

/**
 * Runs beside us and outlives us: waits for a line, starts the server, and once our end of its standard input is closed, by
 * our own hand or by our death, ends the server and removes its folder. SIGQUIT (at once, without a checkpoint) is sent
 * until it is heard: a shell that still unpacks ignores it.
 */
const guard = `exec 3<&0
folder=$1; shift
if read -r _ <&3; then
  "$@" <"$0" & server=$!
  { read -r _ <&3; while kill -QUIT "$server"; do sleep 0.1; done; } 2>/dev/null &
  wait "$server"
  kill $! 2>/dev/null
fi
rm -rf "$folder"`;

const unpackAndStart = 'tar -xmf - -C "$0" && exec "$@" </dev/null';

/** A scratch server's files are small and short-lived: in memory where there is plenty of it, in bytes. */
const plenty = 2_000_000_000;

function temporaryDirectory(): string {
  const memory = "/dev/shm";
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize >= plenty ? memory : tmpdir();
}

/** Unpacks the template and starts on it, in one process, so that it continues while this one loads its modules. */
function spawnServer(directory: string, template: string, binaries: string): ChildProcess {
  const settings = { ...serverSettings, unix_socket_directories: directory };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const start = [join(binaries, "postgres"), "-D", join(directory, "data"), ...options];
  const [file, words] = serverUser().as(directory, ["sh", "-c", unpackAndStart, directory, ...start]);
  return spawn("sh", ["-c", guard, join(template, templateArchive), directory, file, ...words], {
    cwd: "/",
    detached: true, // an interrupt at the terminal is for us
    stdio: ["pipe", "ignore", "pipe"],
    env: childEnvironment({ LC_ALL: "C" }),
  });
}

async function waitForServer(server: ChildProcess, directory: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  let log = "";
  server.stderr?.on("data", (text) => {
    log += text;
  });
  while (!isReady({ directory })) {
    if (server.exitCode !== null || Date.now() > deadline)
      throw new UserError(`The scratch server did not start. Its log:\n${log.trim()}`);
    await sleep(2);
  }
}

async function stopServer(server: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.stdin?.end();
  if (server.exitCode === null && server.signalCode === null) await ended;
}

/** Brings in what CREATE DATABASE copies. */
async function unpackEmptyDatabase(directory: string, template: string): Promise<void> {
  const archive = openSync(join(template, emptyDatabaseArchive), "r");
  const [file, words] = serverUser().as(directory, ["tar", "-xmf", "-", "-C", directory]);
  const [code] = await once(
    spawn(file, words, { env: childEnvironment(), stdio: [archive, "ignore", "ignore"] }),
    "exit",
  );
  closeSync(archive);
  if (code !== 0) throw new UserError(`The files of an empty database do not fit into ${directory}.`);
}

/** A running server of which nothing is left once it is closed, or this process is gone. */
export interface ScratchProcess {
  /** The superuser on the database `postgres`. */
  readonly admin: ConnectionSettings;
  /** Needed before the first CREATE DATABASE. Safe to call twice. */
  readonly readyForMore: () => Promise<void>;
  /** Safe to call twice. */
  readonly close: () => Promise<void>;
}

/**
 * Starts a server on the files of a template, reached through a socket in a private folder.
 * @param template folder with the template's archive
 */
export async function startScratchProcess(programs: Programs, template: string): Promise<ScratchProcess> {
  const directory = join(temporaryDirectory(), `pgstack-scratch-${randomBytes(8).toString("hex")}`);
  const server = spawnServer(directory, template, programs.directory); // it knows of the folder before there is one
  mkdirSync(directory, { mode: 0o700 });
  serverUser().own(directory);
  server.stdin?.write("\n");
  const close = async () => {
    await stopServer(server);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await waitForServer(server, directory);
  } catch (error) {
    await close();
    throw error;
  }
  const admin = { host: directory, port: 5432, user: "postgres", database: "postgres" } as const;
  let unpacking: Promise<void> | undefined;
  const readyForMore = () => {
    unpacking ??= unpackEmptyDatabase(directory, template);
    return unpacking;
  };
  return { admin: { ...admin, sslMode: "disable" }, readyForMore, close };
}

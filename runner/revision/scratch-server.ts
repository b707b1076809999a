import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionSettings, withClient } from "../connection.ts";
import type { Programs } from "../server/programs.ts";
import { serverUser } from "../server/server-user.ts";
import { UserError } from "../user-error.ts";
import { makeScratchTemplate, scratchTemplatePlace } from "./scratch-template.ts";

/** A server on which databases may be made and thrown away; all of them are gone once it is closed. */
export interface ScratchServer {
  /** An empty database of its own. */
  readonly database: () => Promise<ConnectionSettings>;
  /** Drops a database that nobody needs any more. */
  readonly drop: (database: ConnectionSettings) => Promise<void>;
  /** True where roles may be made freely: the server is ours alone. */
  readonly private: boolean;
  /** Folder of what is kept from one such server to the next. */
  readonly kept?: string;
  /** Safe to call twice. */
  readonly close: () => Promise<void>;
}

/** How the names of databases begin that were made here. */
const madeByUs = "pgstack_scratch_";

const serverSettings = {
  listen_addresses: "",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  autovacuum: "off",
  jit: "off",
  max_connections: "20",
  shared_buffers: "32MB",
  max_locks_per_transaction: "1024", // a copy of a large schema is made in one transaction
  log_min_messages: "fatal",
};

/** A scratch server's files are small and short-lived: in memory where there is plenty of it, in bytes. */
const plenty = 2_000_000_000;

function temporaryDirectory(): string {
  const memory = "/dev/shm";
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize >= plenty ? memory : tmpdir();
}

/** Copies the template and starts on the copy, in one process, so that it goes on while this one loads its modules. */
function startServer(directory: string, template: string, binaries: string): ChildProcess {
  const settings = { ...serverSettings, unix_socket_directories: directory };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const command = [join(binaries, "postgres"), "-D", join(directory, "data"), ...options];
  const [file, args] = serverUser().as(directory, command);
  const log = openSync(join(directory, "server.log"), "w");
  const script = 'cp -Rp "$1" "$2" && shift 2 && exec "$@"';
  const words = ["-c", script, "sh", join(template, "data"), directory, file, ...args];
  return spawn("sh", words, {
    cwd: "/",
    stdio: ["ignore", log, log],
    env: { ...process.env, LC_ALL: "C" },
  });
}

async function answers(settings: ConnectionSettings): Promise<boolean> {
  try {
    await withClient(settings, async () => {});
    return true;
  } catch {
    return false;
  }
}

async function waitForServer(server: ChildProcess, settings: ConnectionSettings): Promise<void> {
  const deadline = Date.now() + 60_000;
  const directory = settings.host;
  while (!existsSync(join(directory, ".s.PGSQL.5432")) || !(await answers(settings))) {
    if (server.exitCode !== null || Date.now() > deadline) {
      const log = readFileSync(join(directory, "server.log"), "utf8").trim();
      throw new UserError(`The scratch server did not start. Its log:\n${log}`);
    }
    await sleep(4);
  }
}

async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGQUIT"); // at once, without a checkpoint: nobody will miss its data
  await ended;
}

async function createDatabase(admin: ConnectionSettings): Promise<ConnectionSettings> {
  const name = `${madeByUs}${randomBytes(8).toString("hex")}`;
  await withClient(admin, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE template0`));
  return { ...admin, database: name };
}

async function dropDatabase(admin: ConnectionSettings, { database }: ConnectionSettings): Promise<void> {
  if (!database.startsWith(madeByUs)) return;
  await withClient(admin, (client) => client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`));
}

/** An interrupted process removes its scratch server before it ends. */
function onInterrupt(close: () => Promise<void>): () => void {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const interrupted = (signal: NodeJS.Signals) =>
    void close().finally(() => process.kill(process.pid, signal));
  for (const signal of signals) process.once(signal, interrupted);
  return () => {
    for (const signal of signals) process.off(signal, interrupted);
  };
}

async function startOwnServer(programs: Programs): Promise<ScratchServer> {
  const template = scratchTemplatePlace(programs);
  if (!existsSync(template)) await makeScratchTemplate(programs, template);
  const directory = mkdtempSync(join(temporaryDirectory(), "pgstack-scratch-"));
  const admin = {
    host: directory,
    port: 5432,
    user: "postgres",
    database: "postgres",
    sslMode: "disable",
  } as const;
  let server: ChildProcess | undefined;
  const close = async () => {
    ignoreInterrupts();
    if (server !== undefined) await stopServer(server);
    rmSync(directory, { recursive: true, force: true });
  };
  const ignoreInterrupts = onInterrupt(close);
  try {
    serverUser().own(directory);
    server = startServer(directory, template, programs.directory);
    await waitForServer(server, admin);
  } catch (error) {
    await close();
    throw error;
  }
  const empty = ["postgres", "template1"]; // as initdb makes them
  const database = async () => {
    const name = empty.shift();
    return name === undefined ? createDatabase(admin) : { ...admin, database: name };
  };
  const drop = (settings: ConnectionSettings) => dropDatabase(admin, settings);
  return { database, drop, private: true, kept: template, close };
}

function existingServer(admin: ConnectionSettings): ScratchServer {
  const made = new Set<ConnectionSettings>();
  const database = async () => {
    const settings = await createDatabase(admin);
    made.add(settings);
    return settings;
  };
  const drop = async (settings: ConnectionSettings) => {
    await dropDatabase(admin, settings);
    made.delete(settings);
  };
  const close = async () => {
    ignoreInterrupts();
    for (const settings of made) await drop(settings);
  };
  const ignoreInterrupts = onInterrupt(close);
  return { database, drop, private: false, close };
}

/** A scratch server and the programs of its version. */
export interface Scratch {
  readonly server: ScratchServer;
  readonly programs: Programs;
}

/** Which server to use: one of our own with these programs, or the one at `url`, whose user has CREATEDB. */
export interface ScratchWish {
  readonly programs: Programs;
  readonly url?: ConnectionSettings | undefined;
}

/**
 * Opens a scratch server: one of its own, started from a copy of a kept template and reached through a socket in a
 * private folder, or the one at `url`. The caller closes it.
 */
export async function openScratchServer({ programs, url }: ScratchWish): Promise<Scratch> {
  const server = url === undefined ? await startOwnServer(programs) : existingServer(url);
  return { server, programs };
}

/**
 * Lends a scratch server that is still opening; it, or the databases made on it, are gone afterwards, whatever happens.
 */
export async function withScratchServer<T>(
  wish: ScratchWish,
  use: (opening: Promise<Scratch>) => Promise<T>,
): Promise<T> {
  const opening = openScratchServer(wish);
  opening.catch(() => {}); // whoever waits for it hears of it
  try {
    return await use(opening);
  } finally {
    await opening.then(
      ({ server }) => server.close(),
      () => {},
    );
  }
}

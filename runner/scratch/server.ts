import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { type ConnectionSettings, withClient } from "../postgres/connection.ts";
import type { Programs } from "../postgres/programs.ts";
import { meanwhile } from "../util/background.ts";
import { startScratchProcess } from "./process.ts";
import { makeScratchTemplate, scratchTemplatePlace } from "./template.ts";

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

async function createDatabase(admin: ConnectionSettings): Promise<ConnectionSettings> {
  const name = `${madeByUs}${randomBytes(8).toString("hex")}`;
  await withClient(admin, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE template0`));
  return { ...admin, database: name };
}

async function dropDatabase(admin: ConnectionSettings, { database }: ConnectionSettings): Promise<void> {
  if (!database.startsWith(madeByUs)) return;
  await withClient(admin, (client) => client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`));
}

/** An interrupted process removes what it made before it ends. */
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
  const server = await startScratchProcess(programs, template);
  const close = async () => {
    ignoreInterrupts();
    await server.close();
  };
  const ignoreInterrupts = onInterrupt(close);
  const empty = ["postgres", "template1"]; // as initdb makes them
  const database = async () => {
    const name = empty.shift();
    if (name !== undefined) return { ...server.admin, database: name };
    await server.readyForMore();
    return createDatabase(server.admin);
  };
  const drop = (settings: ConnectionSettings) => dropDatabase(server.admin, settings);
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
  readonly programs: Programs | Promise<Programs>;
  readonly url?: ConnectionSettings | undefined;
}

/**
 * Opens a scratch server: one of its own, started from a copy of a kept template and reached through a socket in a
 * private folder, or the one at `url`. The caller closes it.
 */
export async function openScratchServer({ programs: chosen, url }: ScratchWish): Promise<Scratch> {
  const programs = await chosen;
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
  const opening = meanwhile(openScratchServer(wish));
  try {
    return await use(opening);
  } finally {
    await opening.then(
      ({ server }) => server.close(),
      () => {},
    );
  }
}

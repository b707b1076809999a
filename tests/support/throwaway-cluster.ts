import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ClusterPlace,
  configureCluster,
  createCluster,
  freePort,
  type ServerSettings,
  startCluster,
  stopCluster,
} from "../../runner/postgres/cluster.ts";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { findServer } from "../../runner/postgres/embedded/server.ts";

/** A server that is gone, files included, once `close` resolves. */
export interface ThrowawayCluster extends AsyncDisposable {
  /** The superuser on the database `postgres`. */
  readonly admin: ConnectionSettings;
  readonly place: ClusterPlace;
  /** Safe to call twice. */
  readonly close: () => Promise<void>;
}

/** What a server needs whose data nobody will miss. */
const withoutDurability = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

async function startOnFreePort(place: ClusterPlace, settings: ServerSettings): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    configureCluster(place, {
      ...withoutDurability,
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      ...settings,
      port,
    });
    try {
      await startCluster(place);
      return port;
    } catch (error) {
      if (attempt === 3) throw error; // the port was taken in between three times
    }
  }
}

/**
 * Starts a cluster of its own in a temporary directory, on a free loopback port.
 * @param wanted major version of the programs (default: the newest installed) and further server settings
 */
export async function startThrowawayCluster(
  wanted: { major?: number | undefined; settings?: ServerSettings } = {},
): Promise<ThrowawayCluster> {
  const programs = await findServer(
    (line) => process.stderr.write(`${line}\n`),
    wanted.major === undefined ? undefined : { major: wanted.major },
  );
  const directory = mkdtempSync(join(tmpdir(), "pgstack-"));
  const place = { directory, programs };
  const password = randomBytes(16).toString("hex");
  const close = async () => {
    await stopCluster(place);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await createCluster(place, password);
    const port = await startOnFreePort(place, wanted.settings ?? {});
    const admin = { host: "127.0.0.1", port, user: "postgres", password, database: "postgres" } as const;
    return { admin: { ...admin, sslMode: "disable" }, place, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

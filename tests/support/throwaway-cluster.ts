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
import {
  asManaged,
  type Certificate,
  handOver,
  makeCertificate,
  speaksTls,
  tlsSettings,
  writeHostRules,
} from "./managed-service.ts";
import { clientsSpeakTls } from "./newest-postgresql.ts";

/** A server that is gone, files included, once `close` resolves. */
export interface ThrowawayCluster extends AsyncDisposable {
  /** The administrator on the database `postgres`: a superuser, or on a managed server what its service gives. */
  readonly admin: ConnectionSettings;
  /** A superuser: the administrator, or on a managed server the service's own. For what only a superuser can do. */
  readonly superuser: ConnectionSettings;
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

/** What a test wants of its server. */
export interface WantedCluster {
  /** Major version of the programs; default: the newest that is installed. */
  readonly major?: number | undefined;
  /** Further settings of the server. */
  readonly settings?: ServerSettings;
  /** Who the administrator is; default: what PGSTACK_TEST_ADMIN says, else a superuser. */
  readonly admin?: "superuser" | "managed";
  /** Of the server, for the name `localhost`; default: none, or on a managed server one of its own. */
  readonly certificate?: Certificate;
}

async function startManaged(
  place: ClusterPlace,
  first: ConnectionSettings,
  { settings = {}, certificate: given }: WantedCluster,
): Promise<Pick<ThrowawayCluster, "admin" | "superuser">> {
  const tls = clientsSpeakTls() && (await speaksTls(place));
  const own = tls ? await makeCertificate(join(place.directory, "certificates")) : undefined;
  const certificate = given ?? own;
  writeHostRules(place, tls);
  const port = await startOnFreePort(place, { ...(certificate && tlsSettings(certificate)), ...settings });
  const trust = certificate && ({ sslMode: "verify-full", sslRootCert: certificate.authority } as const);
  const admin = { ...first, ...trust, ...(given && { host: "localhost" }), port };
  return { admin, superuser: await handOver(admin, place.programs.major) };
}

/** Starts a cluster of its own in a temporary directory, on a free loopback port. */
export async function startThrowawayCluster(wanted: WantedCluster = {}): Promise<ThrowawayCluster> {
  const { major, certificate, admin: kind = asManaged ? "managed" : "superuser" } = wanted;
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const programs = await findServer(log, major === undefined ? undefined : { major });
  const directory = mkdtempSync(join(tmpdir(), "pgstack-"));
  const place = { directory, programs };
  const password = randomBytes(16).toString("hex");
  const close = async () => {
    await stopCluster(place);
    rmSync(directory, { recursive: true, force: true });
  };
  const first = { host: "127.0.0.1", port: 0, user: "postgres", password, database: "postgres" } as const;
  try {
    await createCluster(place, password);
    const both = { place, close, [Symbol.asyncDispose]: close };
    if (kind === "managed")
      return { ...both, ...(await startManaged(place, { ...first, sslMode: "disable" }, wanted)) };
    const settings = { ...(certificate && tlsSettings(certificate)), ...wanted.settings };
    const admin = { ...first, port: await startOnFreePort(place, settings), sslMode: "disable" } as const;
    return { ...both, admin, superuser: admin };
  } catch (error) {
    await close();
    throw error;
  }
}

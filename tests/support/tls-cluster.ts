import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "./managed-service.ts";
import { startThrowawayCluster, type ThrowawayCluster, type WantedCluster } from "./throwaway-cluster.ts";

/** A throwaway server that speaks TLS with a certificate for `localhost`. */
export interface TlsCluster extends ThrowawayCluster {
  /** PEM file of the authority that signed it. */
  readonly authority: string;
}

/**
 * Starts a server that others would run: reached by name, over TLS only for those who ask for it.
 * @param kind who the administrator is; default: what PGSTACK_TEST_ADMIN says
 */
export async function startTlsCluster(kind?: WantedCluster["admin"]): Promise<TlsCluster> {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-tls-"));
  const certificate = await makeCertificate(directory, "DNS:localhost");
  const cluster = await startThrowawayCluster({
    settings: { listen_addresses: "localhost" },
    certificate,
    ...(kind && { admin: kind }),
  });
  const close = async () => {
    await cluster.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { ...cluster, authority: certificate.authority, close, [Symbol.asyncDispose]: close };
}

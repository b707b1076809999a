import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverUser } from "../../runner/postgres/server-user.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "./throwaway-cluster.ts";

/** A throwaway server that speaks TLS with a certificate for `localhost`. */
export interface TlsCluster extends ThrowawayCluster {
  /** PEM file of the authority that signed it: the certificate itself. */
  readonly authority: string;
}

function makeCertificate(directory: string): { key: string; certificate: string } {
  const [key, certificate] = [join(directory, "server.key"), join(directory, "server.crt")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", key, "-out", certificate];
  const options = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files];
  execFileSync("openssl", options, { stdio: "ignore" });
  chmodSync(key, 0o600);
  return { key, certificate };
}

/** Starts a server that others would run: reached by name, over TLS only for those who ask for it. */
export async function startTlsCluster(): Promise<TlsCluster> {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-tls-"));
  const { key, certificate } = makeCertificate(directory);
  const account = serverUser();
  for (const path of [directory, key, certificate]) account.own(path);
  const cluster = await startThrowawayCluster({
    settings: { ssl: "on", ssl_key_file: key, ssl_cert_file: certificate, listen_addresses: "localhost" },
  });
  const close = async () => {
    await cluster.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { ...cluster, authority: certificate, close, [Symbol.asyncDispose]: close };
}

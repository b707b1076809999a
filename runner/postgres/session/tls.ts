import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { certificateFile } from "../../util/certificate.ts";
import { RefusedError } from "../../util/errors.ts";

/** libpq's sslmode: https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
export const sslModes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof sslModes)[number];

/** How a connection is to be encrypted. */
export interface TlsSettings {
  readonly host: string;
  readonly sslMode: SslMode;
  /** PEM text of the certificate authorities to trust, or the path of a PEM file; `system` means those of the operating system. */
  readonly sslRootCert?: string | undefined;
}

/** Where operating systems keep the certificate authorities that they trust, each as one PEM file. */
const systemBundles = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine
  "/etc/pki/tls/certs/ca-bundle.crt", // Red Hat
  "/etc/ssl/ca-bundle.pem", // SUSE
  "/etc/ssl/cert.pem", // macOS, BSD
];

function systemBundle(): string | undefined {
  return [process.env.SSL_CERT_FILE ?? "", ...systemBundles].find((path) => path !== "" && existsSync(path));
}

/** libpq's default: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSLROOTCERT */
function defaultRootCert(): string | undefined {
  const path = join(homedir(), ".postgresql", "root.crt");
  return existsSync(path) ? path : undefined;
}

/**
 * The PEM file that the server's certificate is checked against, or undefined where it is not checked (or, under `verify-full`,
 * against the authorities that Node.js brings). As in libpq, a root certificate that is there counts under every mode that
 * encrypts: `require` with one is `verify-ca`. Throws RefusedError where the mode needs a file that is missing.
 */
export function rootCertOf({ sslMode, sslRootCert }: TlsSettings): string | undefined {
  if (sslRootCert === "system") return systemRoot(sslMode);
  const path = sslRootCert ? certificateFile(sslRootCert) : defaultRootCert();
  if (path !== undefined && existsSync(path)) return path;
  if (path === undefined && sslMode === "verify-full") return systemBundle();
  if (!sslMode.startsWith("verify-")) return undefined;
  throw new RefusedError(
    `sslMode ${sslMode} needs the certificate of the server's authority, and ` +
      `${path === undefined ? "~/.postgresql/root.crt does" : `the file ${path} of sslRootCert does`} not exist. ` +
      "Set sslRootCert to its PEM file, or choose sslMode require, which encrypts without checking who the server is.",
  );
}

/** As in libpq: everybody can get a certificate of a public authority, so that the host's name must be checked too. */
function systemRoot(sslMode: SslMode): string | undefined {
  if (sslMode === "verify-full") return systemBundle();
  throw new RefusedError(`sslRootCert system goes with sslMode verify-full only; found ${sslMode}.`);
}

function encrypted(settings: TlsSettings): ConnectionOptions {
  const root = rootCertOf(settings);
  const verified = root !== undefined || settings.sslMode.startsWith("verify-");
  const { host } = settings;
  return {
    // the server's own name, also where a tunnel leads to it; an address is no name for SNI
    host,
    ...(isIP(host) === 0 && { servername: host }),
    ...(root !== undefined && { ca: readFileSync(root) }),
    rejectUnauthorized: verified,
    ...(settings.sslMode !== "verify-full" && { checkServerIdentity: () => undefined }),
  };
}

/** A way to connect: with TLS as stated, or without. */
export type TlsAttempt = ConnectionOptions | false;

/** The ways to try, in libpq's order. A socket's connection is never encrypted. Throws RefusedError as `rootCertOf` does. */
export function tlsAttempts(settings: TlsSettings): [TlsAttempt, ...TlsAttempt[]] {
  if (settings.sslMode === "disable" || settings.host.startsWith("/")) return [false];
  const tls = encrypted(settings);
  if (settings.sslMode === "allow") return [false, tls];
  return settings.sslMode === "prefer" ? [tls, false] : [tls];
}

/** invalid_authorization_specification: pg_hba.conf has no line for a connection with TLS, or without. */
const noSuchLine = "28000";
const certificateCodes =
  /^(ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_SSL_|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA)/;

interface ConnectFailure {
  readonly code?: string;
  readonly message: string;
}

const lacksTls = ({ message }: ConnectFailure) => /does not support SSL|establishing an SSL/.test(message);
const isCertificateFault = ({ code = "" }: ConnectFailure) => certificateCodes.test(code);

/** Whether the other way (with TLS, or without) may succeed where one failed. */
export function isForOtherAttempt(error: unknown): boolean {
  const failure = error as ConnectFailure;
  return failure.code === noSuchLine || lacksTls(failure) || isCertificateFault(failure);
}

/** What to do where a connection failed for its encryption; empty where it failed for another reason. */
export function tlsAdvice({ sslMode }: TlsSettings, error: unknown): string {
  const failure = error as ConnectFailure;
  if (lacksTls(failure))
    return (
      `. sslMode is ${sslMode}, and the server does not offer TLS: switch it on there (ssl = on), ` +
      "or set sslMode to prefer (TLS where it is offered) or disable"
    );
  if (isCertificateFault(failure))
    return (
      `. sslMode is ${sslMode}, and the server's certificate cannot be verified: set sslRootCert to the PEM file of its authority ` +
      "(of the certificate itself where that is self-signed), or choose sslMode verify-ca (any host name) " +
      "or, without a root certificate, require (encrypts, and does not check who the server is)"
    );
  if (failure.code === noSuchLine && /no encryption|SSL off/.test(failure.message))
    return `. sslMode is ${sslMode}: where the server wants TLS, set sslMode to require, verify-ca or verify-full`;
  return "";
}

import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ClusterPlace, ServerSettings } from "../../runner/postgres/cluster.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { serverUser } from "../../runner/postgres/server-user.ts";

// A server as a managed service gives it. Its bootstrap superuser is nobody's, its template databases belong to that
// superuser, it is reached over TLS only with a certificate of an authority of its own, and the administrator has LOGIN
// CREATEDB CREATEROLE and is a member of the service's group.

const run = promisify(execFile);

/** The service's own superuser, which nobody logs in as but a test that plays the service. */
const serviceUser = "service_superuser";

/** PEM files of a server on loopback. */
export interface Certificate {
  readonly key: string;
  readonly certificate: string;
  /** Of the authority that has signed it. */
  readonly authority: string;
}

const openssl = (...args: string[]) => run("openssl", args);
const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/**
 * Makes an authority, and a certificate that it signs.
 * @param hosts the certificate's names, as openssl's subjectAltName has them
 */
export async function makeCertificate(
  directory: string,
  hosts = "DNS:localhost,IP:127.0.0.1",
): Promise<Certificate> {
  mkdirSync(directory, { recursive: true });
  const file = (name: string) => join(directory, name);
  const [authority, authorityKey] = [file("authority.crt"), file("authority.key")];
  const [certificate, key, request] = [file("server.crt"), file("server.key"), file("server.csr")];
  const names = file("names");
  writeFileSync(names, `subjectAltName=${hosts}\n`);
  const ofAuthority = ["-x509", "-days", "2", "-subj", "/CN=Authority of the tests", "-out", authority];
  await openssl("req", ...curve, "-keyout", authorityKey, ...ofAuthority);
  await openssl("req", ...curve, "-keyout", key, "-subj", "/CN=localhost", "-out", request);
  const signer = ["-CA", authority, "-CAkey", authorityKey, "-CAcreateserial", "-days", "2"];
  await openssl("x509", "-req", "-in", request, ...signer, "-extfile", names, "-out", certificate);
  chmodSync(key, 0o600);
  for (const path of [directory, key, certificate]) serverUser().own(path);
  return { key, certificate, authority };
}

/** What the server's configuration needs for a certificate. */
export const tlsSettings = ({ key, certificate }: Certificate): ServerSettings => ({
  ssl: "on",
  ssl_key_file: key,
  ssl_cert_file: certificate,
});

/** Whether a server was built with TLS. */
export async function speaksTls(place: ClusterPlace): Promise<boolean> {
  const words = [join(place.programs.directory, "postgres"), "-D", join(place.directory, "data")];
  const [file, args] = serverUser().as(place.directory, [...words, "-C", "ssl_library"]);
  return (await run(file, args, { cwd: "/" })).stdout.trim() !== "";
}

/** Lets nobody in without TLS (where the server has it), and members of the service's group by a token of any text. */
export function writeHostRules(place: ClusterPlace, tls: boolean): void {
  const kind = tls ? "hostssl" : "host";
  const rules = [`${kind} all +service_iam all trust`, ...["all", "replication"].map(passwordRule)];
  writeFileSync(join(place.directory, "data", "pg_hba.conf"), `${rules.join("\n")}\n`);
  function passwordRule(database: string): string {
    return `${kind} ${database} all all scram-sha-256`;
  }
}

/** The bootstrap superuser becomes the service's; only another superuser may rename it. */
async function renameBootstrapUser(first: ConnectionSettings): Promise<ConnectionSettings> {
  const helper = { ...first, user: "service_setup" };
  const create = `CREATE ROLE ${helper.user} LOGIN SUPERUSER PASSWORD '${first.password}'`;
  await withClient(first, (client) => client.query(create));
  await withClient(helper, (client) => client.query(`ALTER ROLE ${first.user} RENAME TO ${serviceUser}`));
  const superuser = { ...first, user: serviceUser };
  await withClient(superuser, (client) => client.query(`DROP ROLE ${helper.user}`));
  return superuser;
}

const groups = `
  CREATE ROLE service_group NOLOGIN; CREATE ROLE service_iam NOLOGIN;
  GRANT pg_monitor, pg_signal_backend TO service_group`;
const checkpointSince = 15;

/**
 * Makes the server that of a service.
 * @param first the bootstrap superuser, whose name and password the administrator gets
 * @returns the service's superuser
 */
export async function handOver(first: ConnectionSettings, major: number): Promise<ConnectionSettings> {
  const superuser = await renameBootstrapUser(first);
  const { user, password } = first;
  await withClient(superuser, async (client) => {
    await client.query(groups);
    if (major >= checkpointSince) await client.query("GRANT pg_checkpoint TO service_group");
    await client.query(
      `CREATE ROLE ${user} LOGIN CREATEDB CREATEROLE PASSWORD '${password}'; GRANT service_group TO ${user};
       ALTER DATABASE postgres OWNER TO ${user}`,
    );
  });
  return superuser;
}

/** Whether the whole suite runs as such an administrator: the one switch of the tests. */
export const asManaged = process.env.PGSTACK_TEST_ADMIN === "managed";

/** The keys of `pgstack:instance` that lead to a server as its administrator. */
export function instanceOf(admin: ConnectionSettings): Record<string, unknown> {
  const { host, port, user: adminUser, sslMode, sslRootCert } = admin;
  return { kind: "existing", host, port, adminUser, sslMode, ...(sslRootCert && { sslRootCert }) };
}

import { isAbsolute } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { SshVia } from "../../runner/config/instance.ts";
import { certificateText, keepCertificate } from "../../runner/util/certificate.ts";

/** How the administrator of a server connects to it; in the form that `runner/postgres/connection.ts` reads. */
export interface Administrator {
  readonly host: pulumi.Output<string>;
  readonly port: pulumi.Output<number>;
  readonly user: pulumi.Output<string>;
  /** Secret. */
  readonly password: pulumi.Output<string>;
  readonly database: pulumi.Output<string>;
  readonly sslMode: pulumi.Output<string>;
  /** PEM text, or the path of a PEM file; undefined for the system's authorities. */
  readonly sslRootCert: pulumi.Output<string> | undefined;
  /** In place of a password: what prints one, for each connection. Secret. */
  readonly passwordCommand?: pulumi.Output<string> | undefined;
  /** From where the server can be reached; undefined for this machine. */
  readonly via?: SshVia | undefined;
}

/** A role that logs in to the stack's database. */
export interface Login {
  readonly user: pulumi.Input<string>;
  /** Secret; undefined for one that nobody here knows. */
  readonly password: pulumi.Input<string> | undefined;
  /** In place of a password: what prints one. Secret. */
  readonly passwordCommand?: pulumi.Input<string> | undefined;
  readonly database: pulumi.Input<string>;
}

/**
 * The PG* variables that lead a program to the database as that role: the way in which every resource tells its
 * command where to go, since variables show in no list of processes.
 */
export function connectionEnvironment(
  server: Administrator,
  { user, password, passwordCommand, database }: Login,
): Record<string, pulumi.Output<string>> {
  return {
    PGHOST: server.host,
    PGPORT: server.port.apply(String),
    PGUSER: pulumi.output(user),
    PGPASSWORD: pulumi.secret(password ?? ""),
    PGDATABASE: pulumi.output(database),
    PGSSLMODE: server.sslMode,
    ...(passwordCommand !== undefined && { PGSTACK_PASSWORD_COMMAND: pulumi.secret(passwordCommand) }),
    ...(server.sslRootCert !== undefined && { PGSSLROOTCERT: server.sslRootCert.apply(keepCertificate) }),
  };
}

/** An address as RFC 3986 wants it: encodeURIComponent leaves !'()* alone, which shells and some drivers do not. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Whether a certificate means the same for everybody who reads a URL: a relative path leads into this checkout. */
const isForEverybody = (certificate: string) => certificate === "system" || isAbsolute(certificate);

/**
 * The connection URL, each part percent-encoded. Secret, since it holds the password. It names no file of this checkout: who
 * reads it gives the certificate, which is an output of its own, as PGSSLROOTCERT or ~/.postgresql/root.crt.
 */
export function connectionUrl(
  server: Administrator,
  { user, password, database }: Login,
): pulumi.Output<string> {
  const { host, port, sslMode, sslRootCert } = server;
  return pulumi.secret(
    pulumi
      .all([host, port, sslMode, sslRootCert, user, password, database])
      .apply(([host, port, sslMode, sslRootCert, user, password, database]) => {
        const authority = `${encode(user)}${password === undefined ? "" : `:${encode(password)}`}@${host.includes(":") ? `[${host}]` : host}:${port}`;
        const named = sslRootCert !== undefined && isForEverybody(sslRootCert);
        const authorities = named ? `&sslrootcert=${encode(sslRootCert)}` : "";
        return `postgresql://${authority}/${encode(database)}?sslmode=${sslMode}${authorities}`;
      }),
  );
}

export interface UrlsArgs {
  readonly server: Administrator;
  readonly database: pulumi.Output<string>;
  /** By role, the owner's among them; undefined for one that nobody here knows. Secret. */
  readonly passwords: Readonly<Record<string, pulumi.Output<string> | undefined>>;
  /** By role, the one that its clients log in as, where that is not the role itself. */
  readonly logins: Readonly<Record<string, string>>;
}

/** The URLs by which each role reaches the stack's database. Secret. */
export function urlsOf({
  server,
  database,
  passwords,
  logins,
}: UrlsArgs): pulumi.Output<Record<string, string>> {
  const urls = Object.keys(passwords).map((role) => {
    const user = logins[role] ?? role;
    return [role, connectionUrl(server, { user, password: passwords[user], database })] as const;
  });
  return pulumi.secret(pulumi.all(Object.fromEntries(urls)));
}

/** The certificate authorities to trust, as PEM text; null for the system's. */
export function certificateOutput({ sslRootCert }: Administrator): pulumi.Output<string | null> {
  return sslRootCert?.apply(certificateText) ?? pulumi.output(null);
}

/** How the administrator connects, for commands and for a stack that takes this one over, on any machine. Secret. */
export function administratorOutput(server: Administrator): pulumi.Output<object> {
  return pulumi.secret({ ...server, sslRootCert: server.sslRootCert?.apply(certificateText) });
}

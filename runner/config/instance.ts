import { isIPv6 } from "node:net";
import * as v from "valibot";
import { AddressedName, Identifier, Port } from "./types.ts";

/** A cluster under `.pgstack/<stack>/`, for development and tests. */
const Local = v.strictObject({
  kind: v.literal("local"),
  /** On loopback; without it a free one is chosen at the first `up`, and kept. */
  port: v.optional(Port),
});

const hostForm = "a host name or an IP address; a socket's path, a port and a list of hosts are none";

/** One host, as a program that takes a port beside it wants it: an IPv6 address has no brackets. */
const Host = v.pipe(
  v.string(hostForm),
  v.transform((host) => /^\[(.*)\]$/.exec(host)?.[1] ?? host),
  v.check((host) => isIPv6(host) || /^[^\s:/?#%@,[\]\\]+$/.test(host), hostForm),
);

const sshForm =
  "a destination of ssh, such as user@bastion, ssh://user@bastion:2222 or a Host of ~/.ssh/config";
const Path = (what: string) =>
  v.pipe(
    v.string(what),
    v.check((path) => path !== "" && !/["\p{Cc}]/u.test(path), what),
  );

/** A host that ssh logs in to, and from which the server can be reached. What is left out, ssh's own configuration says. */
const Via = v.strictObject({
  ssh: v.pipe(
    v.string(sshForm),
    v.check((destination) => /^[^-\s\p{Cc}][^\s\p{Cc}]*$/u.test(destination), sshForm),
  ),
  port: v.optional(Port),
  /** The private key, which has no passphrase or is in the agent. */
  identityFile: v.optional(Path("the path of a private key")),
  /** Host keys to trust, in place of ~/.ssh/known_hosts. */
  knownHostsFile: v.optional(Path("the path of a known_hosts file")),
});
export type SshVia = v.InferOutput<typeof Via>;

/** A server that others run. */
export const ExistingInstance = v.strictObject({
  kind: v.literal("existing"),
  host: Host,
  port: v.optional(Port, 5432),
  /** Makes databases and roles; a superuser, or with CREATEDB and CREATEROLE. */
  adminUser: v.optional(
    v.pipe(
      Identifier,
      v.check(
        (name) => !name.includes(":"),
        "a name without : (the postgresql provider would cut it off there)",
      ),
    ),
    "postgres",
  ),
  adminDatabase: v.optional(AddressedName, "postgres"),
  sslMode: v.optional(
    v.picklist(
      ["disable", "require", "verify-ca", "verify-full"],
      "disable, require, verify-ca or verify-full",
    ),
    "verify-full",
  ),
  /** PEM file with the certificate authorities to trust (default: libpq's and the system's). */
  sslRootCert: v.optional(v.string("the path of a PEM file")),
  /** Where the server can be reached from; without it, from this machine. */
  via: v.optional(Via),
});

export const Instance = v.variant("kind", [Local, ExistingInstance], "local or existing");
/** Where the stack's server is: `pgstack:instance`. */
export type InstanceConfig = v.InferOutput<typeof Instance>;
export type LocalInstanceConfig = v.InferOutput<typeof Local>;
export type ExistingInstanceConfig = v.InferOutput<typeof ExistingInstance>;

const commandForm = "a command that prints the password";

/** How the administrator's password is had where it is a token that soon expires: `pgstack:adminAuth`. */
export const AdminAuth = v.strictObject({
  /** A shell command that prints a password; run for each connection. */
  command: v.pipe(
    v.string(commandForm),
    v.check((command) => command.trim() !== "" && !command.includes("\0"), commandForm),
  ),
});
export type AdminAuthConfig = v.InferOutput<typeof AdminAuth>;

import * as v from "valibot";
import { Identifier, Port } from "./types.ts";

/** A cluster under `.pgstack/<stack>/`, for development and tests. */
const Local = v.strictObject({
  kind: v.literal("local"),
  /** On loopback; without it a free one is chosen at the first `up`, and kept. */
  port: v.optional(Port),
});

/** A server that others run. */
const Existing = v.strictObject({
  kind: v.literal("existing"),
  host: v.pipe(v.string("a host name"), v.nonEmpty("a host name")),
  port: v.optional(Port, 5432),
  /** Makes databases and roles; a superuser, or with CREATEDB and CREATEROLE. */
  adminUser: v.optional(Identifier, "postgres"),
  adminDatabase: v.optional(Identifier, "postgres"),
  sslMode: v.optional(
    v.picklist(
      ["disable", "require", "verify-ca", "verify-full"],
      "disable, require, verify-ca or verify-full",
    ),
    "verify-full",
  ),
  /** PEM file with the certificate authorities to trust (default: libpq's and the system's). */
  sslRootCert: v.optional(v.string("the path of a PEM file")),
});

export const Instance = v.variant("kind", [Local, Existing], "local or existing");
/** Where the stack's server is: `pgstack:instance`. */
export type InstanceConfig = v.InferOutput<typeof Instance>;
export type LocalInstanceConfig = v.InferOutput<typeof Local>;
export type ExistingInstanceConfig = v.InferOutput<typeof Existing>;

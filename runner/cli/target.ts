import { type ConnectionSettings, connectionFromUrl } from "../postgres/connection.ts";
import { RefusedError } from "../util/errors.ts";
import type { Call, Flag, Flags, StackFacts } from "./command.ts";

/** What of a call leads to its database. */
export type Target = Pick<Call, "env" | "facts" | "flags">;

/** The flag that names a stack. */
export const stackFlag: Flag = { type: "string", short: "s", value: "S", about: "the stack" };

/** The flag that names one of a stack's databases. */
export const databaseFlag: Flag = {
  type: "string",
  value: "NAME",
  about: "the database, of a stack that has several: as the program names it, or as the server does",
};

/** The flag for results that programs read. */
export const jsonFlag: Flag = { type: "boolean", about: "results as one JSON object" };

/** The flag that says where migrations are. */
export const directoryFlag: Flag = {
  type: "string",
  value: "DIR",
  about: "where the migrations are (default: the stack's folder, else migrations)",
};

/** The flags of a command that works on a database. */
export const targetFlags = {
  stack: stackFlag,
  database: databaseFlag,
  url: {
    type: "string",
    value: "URL",
    about: "the database, as postgres://user:password@host:port/database",
  },
} satisfies Flags;

/** The stack that `--stack` names. Throws RefusedError where nobody looked it up. */
export function stackFacts({ facts, flags }: Pick<Call, "facts" | "flags">): StackFacts {
  if (facts === undefined)
    throw new RefusedError(`--stack ${flags.stack ?? "S"} needs ./pgstack, which looks the stack up`);
  return facts;
}

function outputOf(call: Target, name: string): unknown {
  const { name: stack, outputs } = stackFacts(call);
  if (outputs[name] !== undefined) return outputs[name];
  throw new RefusedError(`Stack "${stack}" has no output "${name}" yet: run ./pgstack up ${stack} first`);
}

function chooseOne({ flags }: Pick<Call, "flags">): void {
  const given = ["stack", "url"].filter((flag) => flags[flag] !== undefined);
  if (given.length !== 1)
    throw new RefusedError(
      `Expected one of --stack S and --url URL, found ${given.length === 0 ? "none" : "both"}`,
    );
}

/** A connection URL of the stack, with the certificate that its outputs hold beside the URLs. */
export function connectionOfStack(
  { outputs }: StackFacts,
  url: string,
  env: NodeJS.ProcessEnv = {},
): ConnectionSettings {
  const { sslRootCert } = (outputs.admin ?? {}) as Partial<ConnectionSettings>;
  return connectionFromUrl(url, { ...env, ...(sslRootCert && { PGSSLROOTCERT: sslRootCert }) });
}

/** The database that `--url` or `--stack` names, as that URL's user or as the stack's owner. */
export function resolveTarget(call: Target): ConnectionSettings {
  chooseOne(call);
  if (typeof call.flags.url === "string") return connectionFromUrl(call.flags.url, call.env);
  return connectionOfStack(stackFacts(call), outputOf(call, "databaseUrl") as string, call.env);
}

/** The same database as the user who administers the server: the URL's own, or the stack's admin. */
export function resolveAdminTarget(call: Target): ConnectionSettings {
  const target = resolveTarget(call);
  if (call.flags.url !== undefined) return target;
  const admin = outputOf(call, "admin") as ConnectionSettings;
  return { ...admin, database: target.database };
}

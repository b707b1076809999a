import * as v from "valibot";
import { Cutover } from "../config/cutover.ts";
import { connectionFromEnvironment, connectionFromUrl, variablesOf } from "../postgres/connection.ts";
import { sslModes } from "../postgres/session/tls.ts";
import { projectPath } from "../util/project.ts";
import { parseRequest } from "../util/request.ts";
import { defaultJobs } from "../util/task-pool.ts";
import type { SideSettings } from "./connections.ts";

const text = v.string("a text");
const names = v.array(text, "a list of names");

/** What the resources of a cutover send to their commands on standard input. */
const CutoverRequest = v.object({
  /** The stack that moves; it alone may unfreeze what it froze. */
  stack: text,
  method: v.picklist(["copy", "replicate"], "copy or replicate"),
  /** The old stack's administrator on its database; the password is in PGSTACK_SOURCE_PASSWORD. */
  source: v.object({
    host: text,
    port: v.number("a port"),
    user: text,
    database: text,
    sslMode: v.picklist(sslModes, `one of ${sslModes.join(", ")}`),
    sslRootCert: v.optional(text),
    /** The role that owns the source. */
    owner: text,
  }),
  /** The role that owns the target. */
  owner: text,
  /** Roles that the new stack declares. */
  roles: names,
  /** Schemas that the new stack declares: they stay when the target is emptied. */
  schemas: names,
  jobs: v.union([v.literal("auto"), v.number()], "auto or a number"),
  /** File for the record, relative to the project. */
  record: text,
  replicaIdentityFull: v.optional(names, []),
  /** Milliseconds; 0 is no limit. */
  maxFreeze: v.optional(v.number("a number of milliseconds"), v.parse(Cutover.entries.maxFreeze, undefined)),
  /** The file is this machine's; the URL of the console is in PGSTACK_PGBOUNCER_URL. */
  pgbouncer: v.optional(v.object({ configFile: text })),
});
export type CutoverRequest = ReadonlyLists<v.InferInput<typeof CutoverRequest>>;

/** Whoever sends a list need not own it. */
type ReadonlyLists<T> = {
  readonly [Key in keyof T]: T[Key] extends string[] | undefined
    ? readonly string[] | Extract<T[Key], undefined>
    : T[Key];
};

/** How rows reach the target: all at once under the freeze, or ahead of it by logical replication. */
export type CutoverMethod = CutoverRequest["method"];

/** Which roles of both sides are taken for the same, and whose rights are the target's own matter. */
export interface RoleMapping {
  /** The source's owner, whose objects go to the target's. */
  readonly owners: { readonly source: string; readonly target: string };
  /** Roles whose grants the target's stack declares: theirs are not taken from the source. */
  readonly declaredRoles: readonly string[];
}

/** The two databases of a cutover. */
export interface Sides {
  readonly source: SideSettings;
  readonly target: SideSettings;
}

/** The two databases of a copy or a comparison. */
export interface Move extends Sides, RoleMapping {
  /** Streams or statements side by side. */
  readonly jobs: number;
  /** An exported snapshot of the source, where it is in use; without it, now. */
  readonly snapshot?: string | undefined;
}

/** What is to be moved where, by whom and how. */
export interface CutoverSettings extends Omit<Move, "snapshot"> {
  readonly stack: string;
  readonly method: CutoverMethod;
  readonly schemas: readonly string[];
  readonly record: string;
  /** Tables without a key whose rows may be sent whole. */
  readonly replicaIdentityFull: readonly string[];
  /** Milliseconds after which a freeze ends by itself; 0 is no limit. */
  readonly maxFreeze: number;
  /** In front of the source, where there is one. */
  readonly pgbouncer?: PgBouncer | undefined;
  /** The run of the program that asks; kept once the switch is complete. */
  readonly attempt?: string | undefined;
}

/** A PgBouncer in front of the source. */
export interface PgBouncer {
  /** A user of its console who may pause. */
  readonly admin: SideSettings;
  readonly configFile: string;
}

/**
 * Reads a resource's settings: JSON from standard input, the target and both passwords from the environment. Throws
 * RefusedError that names each member that is missing or wrong.
 */
export function parseCutover(json: string, env: NodeJS.ProcessEnv): CutoverSettings {
  const request = parseRequest(CutoverRequest, json, "the settings of a cutover");
  const { owner, ...source } = request.source;
  return {
    stack: request.stack,
    method: request.method,
    source: {
      ...source,
      password: env.PGSTACK_SOURCE_PASSWORD,
      passwordCommand: env.PGSTACK_SOURCE_PASSWORD_COMMAND || undefined,
    },
    target: connectionFromEnvironment(env),
    owners: { source: owner, target: request.owner },
    declaredRoles: request.roles,
    schemas: request.schemas,
    jobs: request.jobs === "auto" ? defaultJobs() : request.jobs,
    record: request.record,
    replicaIdentityFull: request.replicaIdentityFull,
    maxFreeze: request.maxFreeze,
    pgbouncer: request.pgbouncer && {
      admin: connectionFromUrl(env.PGSTACK_PGBOUNCER_URL ?? "", {}),
      configFile: projectPath(request.pgbouncer.configFile),
    },
    attempt: env.PGSTACK_ATTEMPT,
  };
}

/** A resource's settings again: what a child process reads on standard input, and the secrets of its environment. */
export function requestOf(settings: CutoverSettings): {
  readonly request: CutoverRequest;
  readonly environment: Readonly<Record<string, string>>;
} {
  const { source, target, owners, declaredRoles, pgbouncer, attempt } = settings;
  const { password = "", passwordCommand, statementTimeout: _, ...place } = source;
  const request: CutoverRequest = {
    stack: settings.stack,
    method: settings.method,
    source: { ...place, sslRootCert: place.sslRootCert, owner: owners.source },
    owner: owners.target,
    roles: declaredRoles,
    schemas: settings.schemas,
    jobs: settings.jobs,
    record: settings.record,
    replicaIdentityFull: settings.replicaIdentityFull,
    maxFreeze: settings.maxFreeze,
    pgbouncer: pgbouncer && { configFile: pgbouncer.configFile },
  };
  const environment = {
    ...variablesOf(target),
    PGSTACK_SOURCE_PASSWORD: password,
    ...(passwordCommand !== undefined && { PGSTACK_SOURCE_PASSWORD_COMMAND: passwordCommand }),
    ...(pgbouncer && { PGSTACK_PGBOUNCER_URL: urlOf(pgbouncer.admin) }),
    ...(attempt !== undefined && { PGSTACK_ATTEMPT: attempt }),
  };
  return { request, environment };
}

/** The host stands in a parameter, where any may stand: a socket's directory, an address. */
function urlOf({ host, port, user, password = "", database, sslMode, sslRootCert }: SideSettings): string {
  const url = new URL(`postgres://localhost:${port}/${encodeURIComponent(database)}`);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  const parameters = {
    host,
    sslmode: sslMode,
    ...(sslRootCert !== undefined && { sslrootcert: sslRootCert }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

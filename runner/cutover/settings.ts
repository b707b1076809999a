import {
  type ConnectionSettings,
  connectionFromEnvironment,
  connectionFromUrl,
} from "../postgres/connection.ts";
import { RefusedError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";
import { defaultJobs } from "../util/task-pool.ts";

/** How rows reach the target: all at once under the freeze, or ahead of it by logical replication. */
export type CutoverMethod = "copy" | "replicate";

/** What the resources of a cutover send to their verbs on standard input. */
export interface CutoverSettings {
  /** The stack that moves; it alone may unfreeze what it froze. */
  readonly stack: string;
  readonly method: CutoverMethod;
  /** The old stack's administrator on its database; the password is in PGSTACK_SOURCE_PASSWORD. */
  readonly source: Omit<ConnectionSettings, "password"> & { readonly owner: string };
  readonly owner: string;
  readonly roles: readonly string[];
  /** Schemas that the new stack declares: they stay when the target is emptied. */
  readonly schemas: readonly string[];
  readonly jobs: number | "auto";
  /** File for the record, relative to the project. */
  readonly record: string;
  readonly replicaIdentityFull?: readonly string[];
  /** The file is this machine's; the URL of the console is in PGSTACK_PGBOUNCER_URL. */
  readonly pgbouncer?: { readonly configFile: string } | undefined;
}

/** Which roles of both sides are taken for the same, and whose rights are the target's own matter. */
export interface RoleMapping {
  /** The source's owner, whose objects go to the target's. */
  readonly owners: { readonly source: string; readonly target: string };
  /** Roles whose grants the target's stack declares: theirs are not taken from the source. */
  readonly declaredRoles: readonly string[];
}

/** The two databases of a copy or a comparison. */
export interface Move extends RoleMapping {
  readonly source: ConnectionSettings;
  readonly target: ConnectionSettings;
  /** Streams or statements side by side. */
  readonly jobs: number;
  /** An exported snapshot of the source, where it is in use; without it, now. */
  readonly snapshot?: string | undefined;
}

/** A cutover, with all that its steps need. */
export interface Cutover extends Omit<Move, "snapshot"> {
  readonly stack: string;
  readonly method: CutoverMethod;
  readonly schemas: readonly string[];
  readonly record: string;
  /** Tables without a key whose rows may be sent whole. */
  readonly replicaIdentityFull: readonly string[];
  /** In front of the source, where there is one. */
  readonly pgbouncer?: PgBouncer | undefined;
  /** The run of the program that asks; kept once the switch is complete. */
  readonly attempt?: string | undefined;
  readonly log: (line: string) => void;
}

/** Reads a resource's settings: JSON from standard input, the target and both passwords from the environment. */
export function parseCutover(json: string, env: NodeJS.ProcessEnv, log: (line: string) => void): Cutover {
  let settings: CutoverSettings;
  try {
    settings = JSON.parse(json);
  } catch (error) {
    throw new RefusedError("Expected a cutover's settings as JSON on standard input", { cause: error });
  }
  const { owner, ...source } = settings.source;
  return {
    stack: settings.stack,
    method: settings.method,
    source: { ...source, password: env.PGSTACK_SOURCE_PASSWORD },
    target: connectionFromEnvironment(env),
    owners: { source: owner, target: settings.owner },
    declaredRoles: settings.roles,
    schemas: settings.schemas,
    jobs: settings.jobs === "auto" ? defaultJobs() : settings.jobs,
    record: settings.record,
    replicaIdentityFull: settings.replicaIdentityFull ?? [],
    pgbouncer: settings.pgbouncer && {
      admin: connectionFromUrl(env.PGSTACK_PGBOUNCER_URL ?? "", {}),
      configFile: projectPath(settings.pgbouncer.configFile),
    },
    attempt: env.PGSTACK_ATTEMPT,
    log,
  };
}

/** A PgBouncer in front of the source. */
export interface PgBouncer {
  /** A user of its console who may pause. */
  readonly admin: ConnectionSettings;
  readonly configFile: string;
}

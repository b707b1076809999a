import type * as pulumi from "@pulumi/pulumi";

/** A duration in PostgreSQL's units: `500ms`, `30s`, `5min`, `1h`; a number is milliseconds, 0 is none. */
export type Duration = string | number;

/** Arguments of `Instance`. Each value may be an output of another resource. */
export interface InstanceArgs {
  /** A host name or an IP address. */
  host: pulumi.Input<string>;
  /** Default: 5432. */
  port?: pulumi.Input<number> | undefined;
  /** Makes databases and roles: a superuser, or a role with LOGIN, CREATEDB and CREATEROLE. Default: `postgres`. */
  adminUser?: pulumi.Input<string> | undefined;
  /** Password of `adminUser`. It becomes a secret. Either this or `adminAuth` is needed. */
  adminPassword?: pulumi.Input<string> | undefined;
  /** In place of `adminPassword`: a shell command that prints a password, run for each connection. */
  adminAuth?: { command: string } | undefined;
  /** The database to connect to before the stack's own exists. Default: `postgres`. */
  adminDatabase?: pulumi.Input<string> | undefined;
  /** Default: `verify-full`. */
  sslMode?: pulumi.Input<"disable" | "require" | "verify-ca" | "verify-full"> | undefined;
  /** The certificate authorities to trust: PEM text, or the path of a PEM file. Default: libpq's and the system's. */
  sslRootCert?: pulumi.Input<string> | undefined;
  /**
   * A host that the system's ssh logs in to, and from which the server can be reached. The command line opens the tunnel before the
   * program runs, so the stack's file names it too: `pgstack:instance`.
   */
  via?:
    | {
        ssh: string;
        port?: number | undefined;
        identityFile?: string | undefined;
        knownHostsFile?: string | undefined;
      }
    | undefined;
}

/** Arguments of `LocalInstance`. */
export interface LocalInstanceArgs {
  /** On loopback. Without it a free port is chosen at the first `up`, and kept. */
  port?: number | undefined;
}

/** A login role beside the owner. */
export interface RoleArgs {
  name: string;
  /** `readonly` reads, `readwrite` reads and writes rows; neither defines objects. */
  access: "readonly" | "readwrite";
  /** Schemas of the database that it may use. Default: all of them, those that come later too. */
  schemas?: readonly string[] | undefined;
  /** Tables (`audit.*`, `public.secrets`) and columns (`users.email`) that it may not touch. */
  exclude?: readonly string[] | undefined;
  /** -1 is no limit. Default: -1. */
  connectionLimit?: number | undefined;
  /** Default: 0. */
  statementTimeout?: Duration | undefined;
  /** Default: 0. */
  idleInTransactionTimeout?: Duration | undefined;
  /** A date and time (ISO 8601) at which its password ends, or `infinity`. Default: `infinity`. */
  validUntil?: string | undefined;
  /** Raised to rotate a generated password. Default: 1. */
  passwordVersion?: number | undefined;
  /** `pair`: two logins take turns, so that a client keeps its login through one rotation. */
  rotate?: "pair" | undefined;
  /** Roles that it is a member of. */
  memberOf?: readonly string[] | undefined;
  /** Another database declares the role: only its rights in this database are stated here. Default: false. */
  shared?: boolean | undefined;
}

/** How migrations are run. */
export interface MigrationsSettings {
  /** Folder with the migration files, relative to the folder of Pulumi.yaml. Default: `migrations`. */
  directory?: string | undefined;
  /** The revision to be at: a name, a unique prefix, `-1` for one less than all, `0` for none, or `latest`. Default: `latest`. */
  to?: string | number | undefined;
  /** For how long a statement waits for a lock before it gives up and tries again. Default: `5s`. */
  lockTimeout?: Duration | undefined;
  /** Default: 0. */
  statementTimeout?: Duration | undefined;
  /** What happens to a migration that sorts before an applied one. Default: `error`. */
  outOfOrder?: "error" | "apply" | undefined;
  /** This migration and all before it are one resource and one run. */
  baseline?: string | null | undefined;
  /** Record the baseline as applied on a database that has its schema, after comparing the two. Default: false. */
  adopt?: boolean | undefined;
  /** The history table, as schema.table. Default: `pgstack.migrations`. */
  table?: string | undefined;
}

/** A dump of the database. */
export interface DumpSettings {
  /** A changed label makes a new dump, and nothing else does. It becomes a part of the file's name. */
  label: string;
  /** Before pending migrations, or after them. Default: `before`. */
  when?: "before" | "after" | undefined;
  /** Folder for the dumps. Default: `dumps`. */
  directory?: string | undefined;
  /** Default: `custom`. */
  format?: "custom" | "directory" | undefined;
  /** Processes that work side by side, 1 to 256. Default: `auto`, half of the cores. */
  jobs?: "auto" | "max" | number | undefined;
  /** `none`, `gzip:1` to `gzip:9`, `zstd` or `lz4`. Default: `gzip:1`. */
  compression?: string | undefined;
  /** How many labelled dumps stay, newest first. Default: all. */
  keep?: number | undefined;
  /** What happens to the dump when its resource goes. Default: `keep`. */
  onDelete?: "keep" | "delete" | undefined;
}

/** A dump that the database's contents come from. */
export interface RestoreSettings {
  /** The dump, file or directory. Another path restores. */
  from: string;
  /** Its SHA-256, 64 hexadecimal digits; another one restores. */
  sha256?: string | undefined;
  /** Default: `auto`. */
  jobs?: "auto" | "max" | number | undefined;
  /** Agrees to the loss of what the database holds. Default: false. */
  overwrite?: boolean | undefined;
  /** An SQL script that is run on the restored rows before anyone else may connect. */
  sanitize?: string | undefined;
}

/** The move of another stack's database to this one. */
export interface CutoverSettings {
  /** organization/project/stack; that stack exports `admin`, `database` and `owner`. */
  from: string;
  /** Default: `rehearse`. */
  state?: "rehearse" | "switch" | undefined;
  /** All rows under the freeze, or ahead of it by logical replication. Default: `copy`. */
  method?: "copy" | "replicate" | undefined;
  freeze?: "readonly" | undefined;
  /** For how long a switch may refuse writes. Default: `1min`. */
  maxFreeze?: Duration | undefined;
  /** Another value rehearses once more. */
  label?: string | undefined;
  /** Streams side by side, 1 to 64. Default: `auto`, one for each core, up to 8. */
  jobs?: "auto" | number | undefined;
  /** Tables without a key whose updates and deletes may be sent as whole rows, as schema.table. */
  replicaIdentityFull?: readonly string[] | undefined;
  /** A PgBouncer in front of the old database: a URL of its console, which is a secret, and its configuration file. */
  pgbouncer?: { adminUrl: string; configFile: string } | undefined;
}

/** What existed before the stack. */
export interface AdoptSettings {
  /** Import what exists and change nothing in it. Default: false. */
  importOnly?: boolean | undefined;
  /** Roles that were there before: their password stays unless `passwords` has one. */
  roles?: readonly string[] | undefined;
}

/** Arguments of `Database` beside its instance. */
export interface DatabaseSettings {
  /** The database's name on the server. */
  name: string;
  /** The role that owns the database, and as which migrations run. */
  owner: string;
  /** Default: `public`. */
  schemas?: readonly string[] | undefined;
  extensions?: readonly string[] | undefined;
  /** Login roles beside the owner. */
  roles?: readonly RoleArgs[] | undefined;
  /** Passwords by role. They become secrets. A role that is not named here gets a generated password. */
  passwords?: { readonly [role: string]: pulumi.Input<string> } | undefined;
  migrations?: MigrationsSettings | undefined;
  dump?: DumpSettings | undefined;
  restore?: RestoreSettings | undefined;
  cutover?: CutoverSettings | undefined;
  adopt?: AdoptSettings | undefined;
  /** Whether `destroy` refuses to drop the database and its owner. Default: true, unless the instance is local. */
  protect?: boolean | undefined;
}

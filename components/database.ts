import * as pulumi from "@pulumi/pulumi";
import { type CheckedDatabase, checkDatabase } from "./arguments.ts";
import { type DatabaseOutputs, declareAll } from "./composition.ts";
import type { Server } from "./instance.ts";
import type { DatabaseSettings } from "./interfaces.ts";
import { Names } from "./parts/names.ts";
import { orFail } from "./parts/refusal.ts";
import { currentProgram } from "./program.ts";

/** Arguments of `Database`: what a stack's configuration takes, and the server. */
export interface DatabaseArgs extends DatabaseSettings {
  /** The server: an `Instance` or a `LocalInstance` of the same program. */
  instance: Server;
}

/** The state of a database's migrations. */
export interface MigrationsOutput {
  /** How many are applied. */
  readonly count: number;
  /** The one that was applied last, or null. */
  readonly head: string | null;
  /** Files that `migrations.to` holds back. */
  readonly pending: number;
}

/**
 * A database with its owner, roles, rights, migrations, dumps and restores, or the move of another database to this one.
 * Several databases of one program share an instance or have one each. The names of their resources begin with the
 * component's.
 *
 * @throws RunError that lists every fault of the arguments. Faults of files, and what the server refuses, end the program
 *   before the update has changed anything.
 */
export class Database extends pulumi.ComponentResource {
  /** What an application depends on: there once migrations and grants are done and each role's rights have been verified. */
  readonly ready: pulumi.Output<pulumi.Resource[]>;
  /** The connection URL of each role, the owner among them. Secret. */
  readonly urls: pulumi.Output<Record<string, string>>;
  /** The owner's connection URL. Secret. */
  readonly databaseUrl: pulumi.Output<string | undefined>;
  /** The migration that was applied last, or null. */
  readonly head: pulumi.Output<string | null>;
  readonly migrations: pulumi.Output<MigrationsOutput>;
  /** The database's name on the server, once it is there. */
  readonly name: pulumi.Output<string>;
  /** The owner's name, once it is there. */
  readonly owner: pulumi.Output<string>;
  /** The roles beside the owner. */
  readonly roles: pulumi.Output<
    readonly {
      readonly name: string;
      readonly access: string;
      /** Of a role whose two logins take turns, the one whose turn it is. */
      readonly login?: string;
    }[]
  >;
  /** The report of the last dump, or null. */
  readonly dump: pulumi.Output<object | null>;
  /** The report of the restore, or null. */
  readonly restore: pulumi.Output<object | null>;
  /** How far a cutover is, or null. */
  readonly cutover: pulumi.Output<object | null>;
  /** How the administrator reaches the old database of a cutover, or null. Secret. */
  readonly cutoverSource: pulumi.Output<object | null>;
  /** How the administrator connects. Secret. */
  readonly admin: pulumi.Output<object>;
  /** The certificate authorities to trust, as PEM text; null for the system's. */
  readonly sslRootCert: pulumi.Output<string | null>;
  readonly #work: Promise<DatabaseOutputs>;
  readonly #settings: object;

  constructor(name: string, args: DatabaseArgs, options?: pulumi.ComponentResourceOptions) {
    const { instance, ...settings } = args;
    const config = checkDatabase(name, settings, instance);
    claimRoles(name, config, instance);
    super("pgstack:index:Database", name, {}, options);
    const work = orFail(
      declareAll(
        { program: currentProgram(), component: name, names: new Names(name), config, instance },
        this,
      ),
    );
    const output = <Key extends keyof DatabaseOutputs>(key: Key) =>
      pulumi.output(work.then((outputs) => outputs[key]));
    this.#work = work;
    this.#settings = settingsOf(config);
    this.ready = pulumi.output(work.then(({ ready }) => ready)) as unknown as typeof this.ready;
    this.urls = pulumi.secret(output("urls"));
    this.databaseUrl = this.urls.apply((urls) => urls[config.database.owner]);
    this.head = output("head") as typeof this.head;
    this.migrations = output("migrations") as typeof this.migrations;
    this.name = output("name") as typeof this.name;
    this.owner = output("owner") as typeof this.owner;
    this.roles = pulumi.output(
      config.roles.map(({ name, access, login }) => ({
        name,
        access,
        ...(login !== undefined && { login }),
      })),
    );
    this.dump = output("dump") as typeof this.dump;
    this.restore = output("restore") as typeof this.restore;
    this.cutover = output("cutover") as typeof this.cutover;
    this.cutoverSource = output("cutoverSource") as typeof this.cutoverSource;
    this.admin = output("admin") as typeof this.admin;
    this.sslRootCert = output("sslRootCert") as typeof this.sslRootCert;
  }

  /** What depends on the component waits until all of it is declared. */
  protected override async initialize(): Promise<void> {
    await undefined; // the constructor runs first
    await this.#work;
    const { name, owner, head, migrations, roles, urls, databaseUrl, dump, restore, cutover, admin } = this;
    // for the command line, and for what the next update has to know of this one
    this.registerOutputs({
      database: name,
      owner,
      head,
      migrations,
      roles,
      urls,
      databaseUrl,
      dump,
      restore,
      cutover,
      admin,
      settings: this.#settings,
    });
  }
}

/** What of a database's arguments the command line reads; no secret is among them. */
function settingsOf({ database, roles, migrations, adopt, dump, restore }: CheckedDatabase): object {
  return { database, roles, migrations, adopt, ...(dump && { dump }), ...(restore && { restore }) };
}

/** Throws RunError where another database of the program declares one of these roles on the same server. */
function claimRoles(component: string, { database, roles }: CheckedDatabase, { turns }: Server): void {
  const own = roles.filter(({ shared }) => shared !== true);
  const taken = turns.claim(component, [{ name: database.owner }, ...own]);
  const differing = roles.filter(({ name, shared, access }) => {
    const declared = shared ? turns.claimed(name)?.access : undefined;
    return declared !== undefined && declared !== access;
  });
  const faults = [
    ...differing.map(
      ({ name, access }) =>
        `roles: expected one access for "${name}", since a readonly role's sessions are read-only on the whole server, found "${access}" ` +
        `here and another in the database that declares the role`,
    ),
    ...taken.map(({ role, database: other }) =>
      role === database.owner
        ? `owner: expected a role of the database's own, found "${role}", which database "${other}" declares`
        : `roles: expected "${role}" in one database of the server, found it in "${other}" too; here, add shared: true`,
    ),
  ];
  if (faults.length > 0)
    throw new pulumi.RunError([`Database "${component}" has a fault:`, ...faults].join("\n  "));
}

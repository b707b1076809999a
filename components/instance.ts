import { isIPv6 } from "node:net";
import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type {
  ExistingInstanceConfig,
  InstanceConfig,
  LocalInstanceConfig,
} from "../runner/config/instance.ts";
import { RunnerCommand } from "./runner/command.ts";

/** How the administrator of a server connects to it; in the form that `runner/connection.ts` reads. */
export interface Administrator {
  readonly host: pulumi.Output<string>;
  readonly port: pulumi.Output<number>;
  readonly user: pulumi.Output<string>;
  /** Secret. */
  readonly password: pulumi.Output<string>;
  readonly database: pulumi.Output<string>;
  readonly sslMode: pulumi.Output<string>;
  /** Path of a PEM file, or undefined for the system's authorities. */
  readonly sslRootCert: string | undefined;
}

/** What a local instance prints of itself. */
interface ConnectionJson {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly sslMode: string;
}

export interface InstanceArgs {
  readonly config: InstanceConfig;
  /** Of the existing instance's `adminUser`. Secret. */
  readonly adminPassword: string | undefined;
}

/** The server of a stack: made here for kind local, or one that others run. */
export class Instance extends pulumi.ComponentResource {
  readonly administrator: Administrator;
  /** What stands and falls with the server; undefined where others run it. */
  readonly resource: pulumi.Resource | undefined;

  constructor(
    name: string,
    { config, adminPassword }: InstanceArgs,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("pgstack:index:Instance", name, {}, options);
    if (config.kind === "local") {
      const cluster = createLocal(name, config, this);
      this.resource = cluster;
      this.administrator = administratorOf(cluster);
    } else {
      this.administrator = existingAdministrator(config, adminPassword ?? "");
    }
    this.registerOutputs({});
  }
}

function createLocal(name: string, { port }: LocalInstanceConfig, parent: pulumi.Resource): RunnerCommand {
  const directory = `.pgstack/${pulumi.getStack()}`;
  return new RunnerCommand(
    `${name}-local`,
    {
      ensure: "instance-ensure",
      remove: "instance-remove",
      request: JSON.stringify({ directory, port }), // without a port the runner chooses one, and keeps it
      secret: true,
    },
    { parent },
  );
}

function administratorOf(cluster: RunnerCommand): Administrator {
  const connection = cluster.result<ConnectionJson>();
  const open = pulumi.unsecret(connection);
  return {
    host: open.host,
    port: open.port,
    user: open.user,
    password: connection.password,
    database: open.database,
    sslMode: open.sslMode,
    sslRootCert: undefined,
  };
}

function existingAdministrator(config: ExistingInstanceConfig, password: string): Administrator {
  return {
    host: pulumi.output(config.host),
    port: pulumi.output(config.port),
    user: pulumi.output(config.adminUser),
    password: pulumi.secret(password),
    database: pulumi.output(config.adminDatabase),
    sslMode: pulumi.output(config.sslMode),
    sslRootCert: config.sslRootCert,
  };
}

/** The provider that makes roles, databases and grants as the server's administrator. */
export function createProvider(administrator: Administrator, parent: pulumi.Resource): postgresql.Provider {
  const { host, port, user, password, database, sslMode, sslRootCert } = administrator;
  return new postgresql.Provider(
    "postgresql",
    {
      host: host.apply((host) => (isIPv6(host) ? `[${host}]` : host)), // as it stands in a URL
      port,
      username: user,
      password,
      database,
      sslmode: sslMode,
      ...(sslRootCert !== undefined && { sslrootcert: sslRootCert }),
      connectTimeout: 15,
      superuser: false, // else it reads pg_shadow, which an admin of a managed service may not
    },
    { parent },
  );
}

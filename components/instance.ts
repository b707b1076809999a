import { isIPv6 } from "node:net";
import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type { ExistingInstanceConfig } from "../runner/config/instance.ts";
import { keepCertificate } from "../runner/util/certificate.ts";
import { hasGateway } from "../runner/util/routes.ts";
import { checkInstance, checkLocalInstance, type ExistingKey } from "./arguments.ts";
import type { InstanceArgs, LocalInstanceArgs } from "./interfaces.ts";
import type { Administrator } from "./parts/connection.ts";
import { orFail } from "./parts/refusal.ts";
import { currentProgram, Gate } from "./program.ts";
import { RunnerCommand } from "./runner/command.ts";
import { knownValue } from "./runner/query.ts";
import { Turns } from "./turns.ts";

/** What a local instance prints of itself. */
interface ConnectionJson {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly sslMode: string;
}

/** The name that the instance of a checkout's stack has; its resources keep the names that they had there. */
const checkoutName = "instance";

/** A PostgreSQL server with its administrator: an `Instance` that others run, or a `LocalInstance`. */
export abstract class Server extends pulumi.ComponentResource {
  /** How the administrator connects. */
  readonly administrator: Administrator;
  /** Host name or IP address. */
  readonly host: pulumi.Output<string>;
  readonly port: pulumi.Output<number>;
  /** What the server itself stands and falls with; undefined where others run it. @internal */
  readonly resource: Promise<pulumi.Resource | undefined>;
  /** Whether the server is made here, and its databases with it. @internal */
  readonly isLocal: boolean;
  /** Open when all databases of the server that are made in one go have been checked. @internal */
  readonly gate = new Gate();
  /** The order of what several databases change on the server. @internal */
  readonly turns = new Turns();
  readonly #name: string;
  #provider: postgresql.Provider | undefined;

  protected constructor(
    name: string,
    make: (parent: pulumi.Resource) => {
      readonly administrator: Administrator;
      readonly resource?: Promise<pulumi.Resource>;
    },
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("pgstack:index:Instance", name, {}, options);
    const { administrator, resource } = make(this);
    this.#name = name;
    this.administrator = administrator;
    this.host = administrator.host;
    this.port = administrator.port;
    this.isLocal = resource !== undefined;
    this.resource = resource ?? Promise.resolve(undefined);
  }

  /** The provider that makes roles, databases and grants as the server's administrator. @internal */
  get provider(): postgresql.Provider {
    const name = this.#name === checkoutName ? "postgresql" : `${this.#name}-postgresql`;
    this.#provider ??= createProvider(name, this.administrator, this);
    return this.#provider;
  }

  /** The administrator's name, of a server that others run, where it is known. @internal */
  async adminUser(): Promise<string | undefined> {
    return this.isLocal ? undefined : knownValue(this.administrator.user);
  }

  protected override async initialize(): Promise<void> {
    await undefined; // the constructor runs first
    await this.resource;
  }
}

/**
 * A server that others run: Amazon RDS, Cloud SQL, a machine of your own. It may be made in the same program: a preview
 * before it exists says what it cannot know.
 *
 * @throws RunError that lists every fault of the arguments
 */
export class Instance extends Server {
  constructor(name: string, args: InstanceArgs, options?: pulumi.ComponentResourceOptions) {
    const checked = checkInstance(name, args);
    super(name, () => ({ administrator: administratorOf(checked, args) }), options);
  }
}

/** A server on this machine, for development and tests. Its files are below `.pgstack/`; `destroy` removes them. */
export class LocalInstance extends Server {
  constructor(name: string, args: LocalInstanceArgs = {}, options?: pulumi.ComponentResourceOptions) {
    const { port } = checkLocalInstance(name, args);
    super(
      name,
      (parent) => {
        const resource = createLocal(name, port, parent);
        return { administrator: localAdministrator(resource), resource };
      },
      options,
    );
  }
}

/** Its files lie beside those of other local instances of the stack. */
function directoryOf(name: string): string {
  const stack = `.pgstack/${pulumi.getStack()}`;
  return name === checkoutName ? stack : `${stack}/${name}`;
}

function createLocal(
  name: string,
  port: number | undefined,
  parent: pulumi.Resource,
): Promise<RunnerCommand> {
  const declare = () =>
    new RunnerCommand(
      `${name}-local`,
      {
        ensure: "instance-ensure",
        remove: "instance-remove",
        request: JSON.stringify({ directory: directoryOf(name), port }), // without a port the runner chooses one, and keeps it
        secret: true,
      },
      { parent },
    );
  return orFail(currentProgram().gate.pass().then(declare));
}

function localAdministrator(cluster: Promise<RunnerCommand>): Administrator {
  const connection = pulumi.output(cluster.then((command) => command.result<ConnectionJson>()));
  const open = pulumi.unsecret(connection);
  return {
    host: open.host,
    port: open.port,
    user: open.user,
    password: pulumi.secret(connection.password),
    database: open.database,
    sslMode: open.sslMode,
    sslRootCert: undefined,
  };
}

type Checked = { readonly [Key in ExistingKey]: pulumi.Output<ExistingInstanceConfig[Key]> } & {
  readonly adminPassword: pulumi.Output<string | undefined>;
  readonly hasRootCert: boolean;
};

type Way = Pick<InstanceArgs, "via" | "adminAuth">;

/** The host, once this run has what leads its processes to the server: plain pulumi opens no tunnel and logs in for nobody. */
function reachable({ host, port }: Checked, { via, adminAuth }: Way): pulumi.Output<string> {
  const needed = [...(via ? ["instance.via"] : []), ...(adminAuth ? ["adminAuth"] : [])];
  if (needed.length === 0) return host;
  const check = async (server: { host: string; port: number }) => {
    if (hasGateway({ ...server, via })) return server.host;
    const stack = pulumi.getStack();
    throw new pulumi.RunError(
      `${needed.join(" and ")}: expected a run of ./pgstack, which leads Pulumi's provider to the server; found plain pulumi, or a ` +
        `server that pgstack:instance in Pulumi.${stack}.yaml does not name. ` +
        `Use ./pgstack preview, up, refresh and destroy ${stack} in place of the pulumi commands of these names.`,
    );
  };
  return pulumi.all([host, port]).apply(([host, port]) => orFail(check({ host, port })));
}

function administratorOf(checked: Checked, { via, adminAuth }: Way): Administrator {
  return {
    host: reachable(checked, { via, adminAuth }),
    port: checked.port,
    user: checked.adminUser,
    password: pulumi.secret(checked.adminPassword.apply((password) => password ?? "")),
    database: checked.adminDatabase,
    sslMode: checked.sslMode,
    sslRootCert: checked.hasRootCert ? checked.sslRootCert.apply((text) => text ?? "") : undefined,
    passwordCommand: adminAuth && pulumi.secret(adminAuth.command),
    via,
  };
}

/** The provider that makes roles, databases and grants as the server's administrator. */
export function createProvider(
  name: string,
  { host, port, user, password, database, sslMode, sslRootCert, passwordCommand }: Administrator,
  parent: pulumi.Resource,
): postgresql.Provider {
  // the gateway of ./pgstack encrypts and logs in for a provider that has no password
  const login = passwordCommand
    ? { sslmode: "disable" }
    : { password, sslmode: sslMode, ...(sslRootCert && { sslrootcert: sslRootCert.apply(keepCertificate) }) };
  return new postgresql.Provider(
    name,
    {
      host: host.apply((host) => (isIPv6(host) ? `[${host}]` : host)), // as it stands in a URL
      port,
      username: user,
      database,
      ...login,
      connectTimeout: 15,
      superuser: false, // else it reads pg_shadow, which an admin of a managed service may not
    },
    { parent },
  );
}

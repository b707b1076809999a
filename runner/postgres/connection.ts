import pg from "pg";
import { RefusedError, UserError } from "../util/errors.ts";
import { loopback, routeTo } from "../util/routes.ts";
import { addressVariables } from "./address/address.ts";
import { passwordFromFile } from "./address/password-file.ts";
import { refuseOldServer, serverVersionOf } from "./server-version.ts";
import { explainSessionEnd, noteSessionEnd } from "./session/end.ts";
import { passwordFrom } from "./session/password-command.ts";
import { pinNewerSettings, pinnedSettings, refusesOptions, sessionOptions } from "./session/settings.ts";
import {
  isForOtherAttempt,
  rootCertOf,
  type SslMode,
  sslModes,
  type TlsAttempt,
  tlsAdvice,
  tlsAttempts,
} from "./session/tls.ts";
import { waitingForServer } from "./session/wait-for-server.ts";
import { watchServerVersion, withoutOptions } from "./session/wire.ts";

/** One database on one server, as one user. */
export interface ConnectionSettings {
  /** Host name, address, or the absolute path of a socket directory. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string | undefined;
  /** In place of `password`: a shell command that prints one, run for each connection. */
  readonly passwordCommand?: string | undefined;
  readonly database: string;
  readonly sslMode: SslMode;
  /** PEM text of the certificate authorities to trust, or the path of a PEM file; `system` means those of the operating system. */
  readonly sslRootCert?: string | undefined;
}

function sslModeOf(value: string | null | undefined): SslMode {
  const mode = value || "prefer";
  if (!sslModes.includes(mode as SslMode))
    throw new RefusedError(`sslmode is one of ${sslModes.join(", ")}; found "${mode}"`);
  return mode as SslMode;
}

/**
 * Reads a database's address: a URL, keywords or a service, as `addressVariables` says. What it leaves out comes from the PG*
 * variables, then from libpq's defaults; a password also from `~/.pgpass`. Throws RefusedError, without repeating the address (it
 * may hold a password).
 */
export function connectionFromUrl(url: string, env: NodeJS.ProcessEnv = process.env): ConnectionSettings {
  const variables = { ...env, ...addressVariables(url, env), [commandVariable]: undefined };
  const settings = connectionFromEnvironment(variables);
  return settings.password ? settings : { ...settings, password: passwordFromFile(settings, variables) };
}

const commandVariable = "PGSTACK_PASSWORD_COMMAND";

/**
 * Reads the PG* variables (PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSSLMODE PGSSLROOTCERT), and PGSTACK_PASSWORD_COMMAND for a
 * password that is a token.
 */
export function connectionFromEnvironment(env: NodeJS.ProcessEnv): ConnectionSettings {
  const user = env.PGUSER || "postgres";
  return {
    host: env.PGHOST || "localhost",
    port: Number(env.PGPORT || 5432),
    user,
    password: env.PGPASSWORD,
    ...(env[commandVariable] && { passwordCommand: env[commandVariable] }),
    database: env.PGDATABASE || user,
    sslMode: sslModeOf(env.PGSSLMODE),
    sslRootCert: env.PGSSLROOTCERT,
  };
}

function definedOnly(values: Record<string, string | null | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] != null),
  );
}

/** The variables from which `connectionFromEnvironment` reads the same settings in another process. */
export function variablesOf(settings: ConnectionSettings): Record<string, string> {
  return definedOnly({
    ...environmentAt(settings, settings),
    [commandVariable]: settings.passwordCommand,
  });
}

/**
 * The PG* variables that lead a libpq program (psql, pg_dump, …) to this database, with nothing in its arguments. Where a tunnel
 * leads to the server, PGHOST still names the server, so that its certificate is checked against this name.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-HOSTADDR
 */
export function environmentOf(settings: ConnectionSettings): Record<string, string> {
  const route = routeTo(settings);
  if (route === undefined) return environmentAt(settings, settings);
  return { ...environmentAt(settings, { port: route.localPort }), PGHOSTADDR: loopback };
}

function environmentAt(
  settings: ConnectionSettings,
  { port }: Pick<ConnectionSettings, "port">,
): Record<string, string> {
  return definedOnly({
    PGHOST: settings.host,
    PGPORT: String(port),
    PGUSER: settings.user,
    PGPASSWORD: settings.password,
    PGDATABASE: settings.database,
    PGSSLMODE: settings.sslMode,
    PGSSLROOTCERT: settings.sslMode === "disable" ? undefined : rootCertOf(settings),
    PGAPPNAME: "pgstack",
    PGCONNECT_TIMEOUT: "10",
  });
}

/**
 * The same settings with the password that the command prints now, where there is a command. A program that connects several times
 * uses one password. Throws UserError as `passwordFrom` does.
 */
export async function loggedIn<Settings extends ConnectionSettings>(settings: Settings): Promise<Settings> {
  const { passwordCommand: command } = settings;
  if (command === undefined) return settings;
  return { ...settings, password: await passwordFrom(command), passwordCommand: undefined };
}

/** The same database as another user, whose password is known. */
export function asUser<Settings extends ConnectionSettings>(
  settings: Settings,
  { user, password }: Pick<ConnectionSettings, "user" | "password">,
): Settings {
  return { ...settings, user, password, passwordCommand: undefined };
}

/** What a person calls the database in a message: no user's password, ever. */
export function describe(settings: ConnectionSettings): string {
  return `database "${settings.database}" on ${settings.host}:${settings.port} as "${settings.user}"`;
}

/** What the wire protocol offers beside ordinary sessions. */
interface SessionKind {
  /** A walsender of the database: https://www.postgresql.org/docs/current/protocol-replication.html */
  readonly replication?: "database";
}

/** Poolers that take no settings as a session begins, by host and port. */
const withoutSettings = new Set<string>();
const placeOf = ({ host, port }: ConnectionSettings) => `${host}:${port}`;

/** The settings of a libpq program's sessions, for PGOPTIONS; undefined where a pooler would refuse them. */
export function programOptions(
  settings: ConnectionSettings,
  own: Readonly<Record<string, string>> = {},
): string | undefined {
  if (withoutSettings.has(placeOf(settings))) return undefined;
  return sessionOptions({ ...pinnedSettings, ...own });
}

async function connect(settings: ConnectionSettings, tls: TlsAttempt, kind: SessionKind): Promise<pg.Client> {
  const options = programOptions(settings);
  const route = routeTo(settings);
  const client = new pg.Client({
    host: route === undefined ? settings.host : loopback,
    port: route?.localPort ?? settings.port,
    user: settings.user,
    database: settings.database,
    password: async () => (await loggedIn(settings)).password ?? "", // an empty text would be replaced by this process's PGPASSWORD
    ssl: tls,
    options,
    application_name: "pgstack",
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    ...kind,
  });
  if (options === undefined) withoutOptions(client);
  noteSessionEnd(client);
  const version = watchServerVersion(client);
  try {
    await client.connect();
    await checkServer(client, settings, version());
    return client;
  } catch (error) {
    client.end().catch(() => {});
    if (options === undefined || !refusesOptions(error)) throw error;
    withoutSettings.add(placeOf(settings));
    return connect(settings, tls, kind);
  }
}

/** @param shown `server_version`; PgBouncer's console shows its own */
async function checkServer(client: pg.Client, settings: ConnectionSettings, shown: string): Promise<void> {
  const version = serverVersionOf(shown);
  if (version === undefined) return;
  refuseOldServer(version, `The server on ${placeOf(settings)}`);
  if (!withoutSettings.has(placeOf(settings))) await pinNewerSettings(client, version.major);
}

/** Tries the ways that sslMode leaves, in libpq's order. What the last one met is thrown. */
async function connectAnyWay(settings: ConnectionSettings, kind: SessionKind): Promise<pg.Client> {
  const [first, ...others] = tlsAttempts(settings);
  let attempt = connect(settings, first, kind);
  for (const other of others)
    attempt = attempt.catch((error) => {
      if (!isForOtherAttempt(error)) throw error;
      return connect(settings, other, kind);
    });
  return attempt;
}

/**
 * Opens one connection; the caller ends it. Waits a while for a server that is starting, and has no time limits but those that its
 * work sets. Throws UserError naming the database and the server's reason, RefusedError for a server that is too old.
 */
export async function openClient(settings: ConnectionSettings, kind: SessionKind = {}): Promise<pg.Client> {
  return waitingForServer(settings, () => connectAnyWay(settings, kind)).catch((error) => {
    if (error instanceof UserError) throw error;
    const reason = (error as Error).message || (error as NodeJS.ErrnoException).code || "no answer";
    throw new UserError(`Cannot connect to ${describe(settings)}: ${reason}${tlsAdvice(settings, error)}`, {
      cause: error,
    });
  });
}

/** Whether a failure to connect says that the server knows no such database. */
export function isMissingDatabase(error: unknown): boolean {
  return ((error as Error).cause as { code?: string } | undefined)?.code === "3D000";
}

/** Errors of Node's network, and states of a server that pass: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const passing =
  /^(E(CONN(REFUSED|RESET|ABORTED)|TIMEDOUT|PIPE|(HOST|NET)(UNREACH|DOWN)|AI_AGAIN)|ENOTFOUND|57P0[123]|53300)$/;

/** Whether a failure to connect says nothing about the request: no server answered, or it cannot just now. */
export function isUnreachable(error: unknown): boolean {
  const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
  return cause?.code === undefined
    ? /timeout|terminated/i.test(cause?.message ?? "")
    : passing.test(cause.code);
}

/**
 * Lends one connection to `use` and closes it afterwards, whatever happens. Throws SessionEnd where the server ends the session, and
 * UserError as `openClient` does.
 */
export async function withClient<T>(
  settings: ConnectionSettings,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(settings);
  try {
    return await use(client);
  } catch (error) {
    throw explainSessionEnd(client, describe(settings), error);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Runs `use` in one transaction: commits when it resolves, rolls back when it throws. */
export async function withTransaction<T>(client: pg.Client, use: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
  try {
    const result = await use();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

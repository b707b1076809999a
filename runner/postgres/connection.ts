import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import { RefusedError, UserError } from "../util/errors.ts";

/** libpq's sslmode: https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
export const sslModes = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof sslModes)[number];

/** One database on one server, as one user. */
export interface ConnectionSettings {
  /** Host name, address, or the absolute path of a socket directory. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string | undefined;
  readonly database: string;
  readonly sslMode: SslMode;
  /** Path of a PEM file with the certificate authorities to trust. */
  readonly sslRootCert?: string | undefined;
}

function sslModeOf(value: string | null | undefined): SslMode {
  const mode = value === null || value === undefined || value === "allow" || value === "" ? "prefer" : value;
  if (!sslModes.includes(mode as SslMode))
    throw new RefusedError(`sslmode is one of ${sslModes.join(", ")}; found "${mode}"`);
  return mode as SslMode;
}

/**
 * Reads a connection URL: `postgres[ql]://user:password@host:port/database?sslmode=…&sslrootcert=…`, every part
 * percent-encoded. What it leaves out comes from the PG* variables, then from libpq's defaults.
 * Throws RefusedError, without repeating the URL (it may hold a password).
 */
export function connectionFromUrl(url: string, env: NodeJS.ProcessEnv = process.env): ConnectionSettings {
  const parsed = URL.parse(url);
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol))
    throw new RefusedError(
      "--url takes postgres://user:password@host:port/database, with each part percent-encoded",
    );
  const part = (text: string) => (text === "" ? undefined : decodeURIComponent(text));
  const query = parsed.searchParams;
  const host = query.get("host") ?? part(parsed.hostname.replace(/^\[(.*)\]$/, "$1"));
  return connectionFromEnvironment({
    ...env,
    ...definedOnly({
      PGHOST: host,
      PGPORT: query.get("port") ?? part(parsed.port),
      PGUSER: query.get("user") ?? part(parsed.username),
      PGPASSWORD: query.get("password") ?? part(parsed.password),
      PGDATABASE: part(parsed.pathname.slice(1)),
      PGSSLMODE: query.get("sslmode"),
      PGSSLROOTCERT: query.get("sslrootcert"),
    }),
  });
}

/** Reads the PG* variables (PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSSLMODE PGSSLROOTCERT). */
export function connectionFromEnvironment(env: NodeJS.ProcessEnv): ConnectionSettings {
  const user = env.PGUSER || "postgres";
  return {
    host: env.PGHOST || "localhost",
    port: Number(env.PGPORT || 5432),
    user,
    password: env.PGPASSWORD,
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

/** The PG* variables that lead a libpq program (psql, pg_dump, …) to this database, with nothing in its arguments. */
export function environmentOf(settings: ConnectionSettings): Record<string, string> {
  return definedOnly({
    PGHOST: settings.host,
    PGPORT: String(settings.port),
    PGUSER: settings.user,
    PGPASSWORD: settings.password,
    PGDATABASE: settings.database,
    PGSSLMODE: settings.sslMode,
    PGSSLROOTCERT: settings.sslRootCert,
    PGAPPNAME: "pgstack",
    PGCONNECT_TIMEOUT: "10",
  });
}

function tlsOf({ sslMode, sslRootCert }: ConnectionSettings): ConnectionOptions | false {
  if (sslMode === "disable") return false;
  const ca = sslRootCert === undefined || sslRootCert === "system" ? {} : { ca: readFileSync(sslRootCert) };
  if (sslMode === "verify-full") return { ...ca, rejectUnauthorized: true };
  if (sslMode === "verify-ca")
    return { ...ca, rejectUnauthorized: true, checkServerIdentity: () => undefined };
  return { rejectUnauthorized: false };
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

async function connect(
  settings: ConnectionSettings,
  tls: ConnectionOptions | false,
  kind: SessionKind,
): Promise<pg.Client> {
  const client = new pg.Client({
    host: settings.host,
    port: settings.port,
    user: settings.user,
    database: settings.database,
    password: settings.password ?? "",
    ssl: tls === false || settings.host.startsWith("/") ? false : tls,
    application_name: "pgstack",
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    ...kind,
  });
  client.on("error", () => {}); // a lost connection is reported by the query that meets it
  await client.connect();
  return client;
}

/** Opens one connection; the caller ends it. Throws UserError naming the database and the server's reason. */
export async function openClient(settings: ConnectionSettings, kind: SessionKind = {}): Promise<pg.Client> {
  try {
    return await connect(settings, tlsOf(settings), kind);
  } catch (error) {
    if (settings.sslMode === "prefer" && /does not support SSL/.test((error as Error).message))
      return await connect(settings, false, kind).catch((plain) => refuse(settings, plain));
    return refuse(settings, error);
  }
}

/** Whether a failure to connect says that the server knows no such database. */
export function isMissingDatabase(error: unknown): boolean {
  return ((error as Error).cause as { code?: string } | undefined)?.code === "3D000";
}

function refuse(settings: ConnectionSettings, error: unknown): never {
  const reason = (error as Error).message || (error as NodeJS.ErrnoException).code || "no answer";
  throw new UserError(`Cannot connect to ${describe(settings)}: ${reason}`, { cause: error });
}

/** Lends one connection to `use` and closes it afterwards, whatever happens. */
export async function withClient<T>(
  settings: ConnectionSettings,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(settings);
  try {
    return await use(client);
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

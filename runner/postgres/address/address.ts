import { RefusedError } from "../../util/errors.ts";
import { serviceParameters } from "./service-file.ts";

/** Parameters of a connection by libpq's names: host, port, user, password, dbname, sslmode … */
export type Parameters = Readonly<Record<string, string>>;

/** libpq's variable for each parameter that counts here. https://www.postgresql.org/docs/current/libpq-envars.html */
const variables: Readonly<Record<string, string>> = {
  host: "PGHOST",
  port: "PGPORT",
  user: "PGUSER",
  password: "PGPASSWORD",
  dbname: "PGDATABASE",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  passfile: "PGPASSFILE",
};

/**
 * libpq's further parameters that change neither the server nor the rights: pgstack states its own, or does as the driver does.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
 */
const unneeded = new Set([
  ...[
    "application_name",
    "fallback_application_name",
    "client_encoding",
    "connect_timeout",
    "tcp_user_timeout",
  ],
  ...["keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "sslcompression", "sslsni"],
  ...["gssencmode", "channel_binding", "target_session_attrs", "load_balance_hosts", "sslnegotiation"],
]);

const forms =
  "Expected a database's address as libpq takes it: postgres://user:password@host:port/database?sslmode=…, or host=… dbname=… user=…, or service=…";

/** Throws RefusedError that names the part; an address may hold a password, and is never shown whole. */
function refusePart(part: string): never {
  throw new RefusedError(`${forms}. Found ${part}.`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RefusedError(
      "An address has each part percent-encoded, and a % in this one is followed by no two hexadecimal digits: write %25 for a %.",
    );
  }
}

/** Leaves out what has no text: it comes from elsewhere then. */
function given(parameters: Readonly<Record<string, string | undefined>>): Parameters {
  const entries = Object.entries(parameters);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => Boolean(entry[1])));
}

function queryOf(text: string): Parameters {
  const pairs = text.split("&").filter((pair) => pair !== "");
  const entries = pairs.map((pair): [string, string] => {
    const at = pair.indexOf("=");
    return at < 0 ? [decoded(pair), ""] : [decoded(pair.slice(0, at)), decoded(pair.slice(at + 1))];
  });
  // libpq reads JDBC's ssl=true so
  return Object.fromEntries(
    entries.map(([name, value]) =>
      name === "ssl" && value === "true" ? ["sslmode", "require"] : [name, value],
    ),
  );
}

const uri =
  /^(?<scheme>[^:]*):\/\/(?:(?<login>[^/?]*)@)?(?<place>\[[^\]]*\][^/?]*|[^/?]*)(?:\/(?<dbname>[^?]*))?(?:\?(?<query>.*))?$/s;

/** A driver in the scheme, as SQLAlchemy writes it (`postgresql+psycopg://`), says nothing about the database. */
const ourScheme = /^postgres(ql)?(\+[\w.-]+)?$/i;

function fromUri(text: string): Parameters {
  const parts = uri.exec(text)?.groups;
  if (parts === undefined) refusePart("a URL without a host behind its two slashes");
  const { login = "", place = "", dbname = "", query = "" } = parts;
  const [user = "", ...password] = login.split(":");
  if (place.includes(",")) refusePart("several hosts: name the one to work on");
  const { host = "", port = "" } = /^(?<host>\[[^\]]*\]|[^:]*)(?::(?<port>.*))?$/s.exec(place)?.groups ?? {};
  return {
    ...given({
      user: decoded(user),
      password: decoded(password.join(":")),
      host: decoded(host.replace(/^\[(.*)\]$/, "$1")),
      port,
      dbname: decoded(dbname),
    }),
    ...queryOf(query),
  };
}

/** `host=localhost dbname='my db'`: quotes and backslashes as libpq reads them. */
function fromKeywords(text: string): Parameters {
  const pair = /\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?:\s+|$)/sy;
  const found: Record<string, string> = {};
  const whole = text.trim();
  while (pair.lastIndex < whole.length) {
    const at = pair.lastIndex;
    const [, name = "", quoted, bare = ""] = pair.exec(whole) ?? refusePart(wordAt(whole, at));
    found[name] = (quoted ?? bare).replace(/\\(.)/gs, "$1");
  }
  return found;
}

/** The name of what cannot be read, without its value. */
function wordAt(text: string, at: number): string {
  const name = /^\s*(\w+)\s*=/.exec(text.slice(at))?.[1];
  return name === undefined
    ? "a word without an equals sign: keyword=value is expected, with quotes around a value that has blanks"
    : `a value of "${name}" that does not end: quotes stand around the whole value`;
}

/** What kind of text this is, by its beginning, which is no secret. */
function parse(text: string): Parameters {
  const scheme = /^\s*([a-z][\w+.-]*):/i.exec(text)?.[1];
  if (scheme !== undefined && ourScheme.test(scheme) && /^\s*[^:]+:\/\//.test(text))
    return fromUri(text.trim());
  if (/^\s*\w+\s*=/.test(text)) return fromKeywords(text);
  if (scheme?.toLowerCase() === "jdbc")
    refusePart(
      'the scheme "jdbc:", which is Java\'s: leave it out, and put user and password before the host',
    );
  return refusePart(scheme === undefined ? "a text of another form" : `the scheme "${scheme}:"`);
}

/** Throws RefusedError for a parameter that would be passed over: what it asks for would not happen. */
function refuseUnknown(parameters: Parameters): void {
  for (const name of Object.keys(parameters))
    if (!(name in variables) && !unneeded.has(name) && name !== "service")
      refusePart(`the parameter "${name}", which pgstack does not take: leave it out`);
  if (parameters.host?.includes(",")) refusePart("several hosts: name the one to work on");
  const { port } = parameters;
  if (port !== undefined && port !== "" && !(/^\d+$/.test(port) && Number(port) > 0 && Number(port) < 65536))
    refusePart(`the port "${port}"; a port is a number from 1 to 65535`);
}

/**
 * Reads an address in each form that libpq takes: a URL (`postgres://user:password@host:port/database?sslmode=…`, a driver in its
 * scheme is passed over), keywords (`host=… dbname=…`) or a service (`service=…`, from the service file that `env` leads to).
 *
 * @returns the `PG*` variables that say the same. Throws RefusedError that names the part that is wrong, and no value.
 */
export function addressVariables(address: string, env: NodeJS.ProcessEnv): Record<string, string> {
  const own = parse(address);
  refuseUnknown(own);
  const service = own.service ? serviceParameters(own.service, env) : {};
  refuseUnknown(service);
  const known = Object.entries({ ...service, ...own }).filter(
    ([name, value]) => name in variables && value !== "",
  );
  return Object.fromEntries(known.map(([name, value]) => [variables[name] as string, value]));
}

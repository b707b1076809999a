import { lookup } from "node:dns/promises";
import { RefusedError } from "../../util/errors.ts";
import type { SideSettings } from "../connections.ts";
import type { CutoverSettings } from "../settings.ts";
import { type Entry, entriesOf, readConfig, valuesOf } from "./config-file.ts";

/** Where PgBouncer looks for a server whose host no entry names: https://www.pgbouncer.org/config.html */
const socketDirectory = "/var/run/postgresql";

/** The entry for every name that has none of its own. */
export const fallback = "*";

const databaseOf = ({ name, text }: Entry) => valuesOf(text).dbname ?? name;

/** The addresses of a host; an address is its own, and so is a socket's directory. */
async function addressesOf(host: string): Promise<ReadonlySet<string>> {
  if (host.startsWith("/")) return new Set([host]);
  const found = await lookup(host, { all: true }).catch(() => []);
  return new Set([host, ...found.map(({ address }) => address)]);
}

/**
 * Whether a host and port are those of the source. They are compared by address: nobody logs in anywhere but at the hosts
 * that the configuration of the stacks names, since a login hands over a password.
 */
export async function isSourceServer(
  {
    host = socketDirectory,
    port = "5432",
  }: { readonly host?: string | undefined; readonly port?: string | undefined },
  source: SideSettings,
): Promise<boolean> {
  if (Number(port) !== source.port) return false;
  const [first = host] = host.split(",");
  const [there, here] = await Promise.all([addressesOf(first || socketDirectory), addressesOf(source.host)]);
  return !there.isDisjointFrom(here);
}

const where = ({ text }: Entry) => {
  const { host = socketDirectory, port = "5432" } = valuesOf(text);
  return `${host}:${port}`;
};

/**
 * The entries of `[databases]` that lead to the source, by the address of their server. Throws RefusedError where there is
 * none.
 */
export async function entriesOfSource({ source }: CutoverSettings, configFile: string): Promise<Entry[]> {
  const { host, port, database } = source;
  const entries = entriesOf(readConfig(configFile)).filter((entry) => entry.name !== fallback);
  const named = entries.filter((entry) => databaseOf(entry) === database);
  if (named.length === 0)
    throw new RefusedError(
      `${configFile} has no entry in [databases] that leads to the database "${database}" (a line ` +
        `"${database} = host=${host} port=${port}"; the fallback * cannot be moved)`,
    );
  const right: Entry[] = [];
  for (const entry of named) if (await isSourceServer(valuesOf(entry.text), source)) right.push(entry);
  if (right.length > 0) return right;
  const others = named.map((entry) => `"${entry.name}" leads to another server, ${where(entry)}`);
  throw new RefusedError(
    `No entry in ${configFile} leads to the source, "${database}" on ${host}:${port}: ${others.join("; ")}`,
  );
}

/** Whether the fallback of the file leads clients of any name, or of the source's own, to the source. */
export async function fallbackToSource(
  { source }: CutoverSettings,
  configFile: string,
): Promise<Entry | undefined> {
  const entries = entriesOf(readConfig(configFile));
  const entry = entries.findLast(({ name }) => name === fallback);
  if (entry === undefined) return undefined;
  const { dbname, ...server } = valuesOf(entry.text);
  const own = entries.some(({ name }) => name === source.database);
  const named = dbname === undefined ? !own : dbname === source.database;
  return named && (await isSourceServer(server, source)) ? entry : undefined;
}

import { withClient } from "../../postgres/connection.ts";
import { RefusedError } from "../../util/errors.ts";
import { identityOf, withAdmin } from "../connections.ts";
import type { CutoverSettings } from "../settings.ts";
import { type Entry, entriesOf, readConfig, valuesOf } from "./config-file.ts";

/** Where PgBouncer looks for a server whose host no entry names: https://www.pgbouncer.org/config.html */
const socketDirectory = "/var/run/postgresql";

const databaseOf = ({ name, text }: Entry) => valuesOf(text).dbname ?? name;

/** The database that an entry leads to, seen by the source's administrator; or why that cannot be seen. */
async function seen(entry: Entry, { source }: CutoverSettings): Promise<string | Error> {
  const { host = socketDirectory, port = "5432" } = valuesOf(entry.text);
  const [first = host] = host.split(",");
  const there = { ...source, host: first, port: Number(port), sslMode: "prefer" } as const;
  return withClient(there, identityOf).catch((error: Error) => error);
}

/**
 * The entries of `[databases]` that lead to the source, as a connection to where each leads shows. Throws RefusedError
 * where there is none.
 */
export async function entriesOfSource(cutover: CutoverSettings, configFile: string): Promise<Entry[]> {
  const { host, port, database } = cutover.source;
  const entries = entriesOf(readConfig(configFile)).filter((entry) => entry.name !== "*");
  const named = entries.filter((entry) => databaseOf(entry) === database);
  if (named.length === 0)
    throw new RefusedError(
      `${configFile} has no entry in [databases] that leads to the database "${database}" (a line ` +
        `"${database} = host=${host} port=${port}"; the fallback * cannot be moved)`,
    );
  const identity = await withAdmin(cutover.source, identityOf);
  const found = await Promise.all(named.map(async (entry) => ({ entry, place: await seen(entry, cutover) })));
  const right = found.filter(({ place }) => place === identity).map(({ entry }) => entry);
  if (right.length > 0) return right;
  const why = found.map(({ entry, place }) =>
    place instanceof Error
      ? `it cannot be seen where "${entry.name}" leads: ${place.message}`
      : `"${entry.name}" leads to another server`,
  );
  throw new RefusedError(
    `No entry in ${configFile} leads to the source, "${database}" on ${host}:${port}: ${why.join("; ")}`,
  );
}

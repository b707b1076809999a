import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { type ConnectionSettings, withClient } from "../../postgres/connection.ts";
import { maybeRow, rowsOf } from "../../postgres/rows.ts";
import { RefusedError, UserError } from "../../util/errors.ts";
import { type Entry, type Place, valuesOf } from "./config-file.ts";

/** A database as the console shows it: https://www.pgbouncer.org/usage.html#show-databases */
export interface ShownDatabase extends Place {
  /** For clients. */
  readonly name: string;
  readonly paused: boolean;
  /** Its own pool mode, where it has one. */
  readonly poolMode: string | null;
}

/** Lends a session of PgBouncer's console. Throws RefusedError where something else answers. */
export async function withConsole<T>(
  admin: ConnectionSettings,
  use: (console: pg.Client) => Promise<T>,
): Promise<T> {
  return withClient(admin, async (client) => {
    const shown = await maybeRow<{ version: string }>(client, "SHOW VERSION").catch(() => undefined);
    if (!/pgbouncer/i.test(shown?.version ?? ""))
      throw new RefusedError(
        `cutover.pgbouncer.adminUrl leads to no PgBouncer console (its database is named pgbouncer), but to ` +
          `"${admin.database}" on ${admin.host}:${admin.port}`,
      );
    return use(client);
  });
}

/** A row of the console's list; it shows numbers as text or as numbers, as its version does. */
interface DatabaseRow {
  readonly name: string;
  readonly host: string | null;
  readonly port: string | number;
  readonly database: string;
  readonly paused: string | number;
  readonly pool_mode: string | null;
}

/** Every database for clients, those of included files and of the fallback `*` as well. */
export async function showDatabases(console: pg.Client): Promise<ShownDatabase[]> {
  const rows = await rowsOf<DatabaseRow>(console, "SHOW DATABASES");
  return rows.map(({ name, host, port, database, paused, pool_mode: poolMode }) => ({
    name,
    host: host ?? "",
    port: Number(port),
    database,
    paused: Number(paused) === 1,
    poolMode,
  }));
}

/** The database of that name for clients, or undefined. */
export async function showDatabase(console: pg.Client, name: string): Promise<ShownDatabase | undefined> {
  return (await showDatabases(console)).find((one) => one.name === name);
}

/** Its settings by name. */
export async function showConfig(console: pg.Client): Promise<Record<string, string | null>> {
  const rows = await rowsOf<{ key: string; value: string | null }>(console, "SHOW CONFIG");
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

/** The console takes a name in quotes, without a quote in it. */
function quoted(name: string): string {
  if (name.includes('"')) throw new RefusedError(`PgBouncer's console cannot name the database ${name}`);
  return `"${name}"`;
}

/** Lets waiting clients continue, where they were paused. */
export async function resume(console: pg.Client, name: string): Promise<void> {
  if ((await showDatabase(console, name))?.paused === true) await console.query(`RESUME ${quoted(name)}`);
}

/** Whether the user of the console may pause; those of stats_users may only look. It changes nothing. */
export async function mayPause(console: pg.Client, name: string): Promise<boolean> {
  if ((await showDatabase(console, name))?.paused === true) return true;
  const answer = await console.query(`RESUME ${quoted(name)}`).catch((error: Error) => error);
  return !(answer instanceof Error && /admin access/.test(answer.message));
}

/** A session of the server, and the client that has it. */
interface ServerRow {
  readonly database: string;
  readonly user: string;
  readonly link: string;
  readonly remote_pid: string | number;
}

interface ClientRow {
  readonly ptr: string;
  readonly addr: string;
  readonly port: string | number;
  readonly application_name?: string;
}

/** Who keeps a session of the server, so that a pause cannot come to its end. */
async function holdersOf(console: pg.Client, name: string): Promise<string[]> {
  const servers = await rowsOf<ServerRow>(console, "SHOW SERVERS");
  const clients = await rowsOf<ClientRow>(console, "SHOW CLIENTS");
  return servers
    .filter(({ database, link }) => database === name && link !== "")
    .map(({ user, link, remote_pid: pid }) => {
      const client = clients.find(({ ptr }) => ptr === link);
      const application = client?.application_name || "no application name";
      return `user ${user} from ${client?.addr}:${client?.port} (${application}), process ${pid} of the server`;
    });
}

/**
 * Makes the clients of a database wait, each after its open transaction (in session pooling, each after its session).
 * Those that have not ended within `seconds` are named in the UserError thrown, and all continue as before.
 */
export async function pause(admin: ConnectionSettings, name: string, seconds: number): Promise<void> {
  await withConsole(admin, (observer) =>
    withConsole(admin, async (console) => {
      const paused = console.query(`PAUSE ${quoted(name)}`).then(() => true);
      paused.catch(() => {}); // its session is closed where the time is up
      const limit = new AbortController();
      const late = sleep(seconds * 1000, false, { signal: limit.signal }).catch(() => false);
      const done = await Promise.race([paused, late]).finally(() => limit.abort());
      if (done) return;
      const holders = await holdersOf(observer, name);
      await resume(observer, name);
      throw new UserError(
        `PgBouncer could not pause "${name}" within ${seconds} s, and continues as before. It waits for ` +
          `${holders.join("; ") || "nobody that it shows"}. End them, or try again at a quieter moment`,
      );
    }),
  );
}

/** Whether the console shows a database where a connect string leads. */
export function leads(
  shown: ShownDatabase | undefined,
  { host, port, dbname }: Record<string, string>,
): boolean {
  return (
    shown !== undefined &&
    (host === undefined || shown.host === host) &&
    (port === undefined || shown.port === Number(port)) &&
    (dbname === undefined || shown.database === dbname)
  );
}

/** Reads the configuration again, and waits until the entry counts. */
export async function reload(
  console: pg.Client,
  { name, text }: Pick<Entry, "name" | "text">,
): Promise<void> {
  await console.query("RELOAD");
  for (let attempt = 0; attempt < 50; attempt++) {
    if (leads(await showDatabase(console, name), valuesOf(text))) return;
    await sleep(100);
  }
  throw new UserError(
    `PgBouncer does not lead "${name}" where its configuration says after a RELOAD: does it read the file that ` +
      "cutover.pgbouncer.configFile names?",
  );
}

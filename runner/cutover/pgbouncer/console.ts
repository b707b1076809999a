import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { type ConnectionSettings, withClient } from "../../postgres/connection.ts";
import { RefusedError, UserError } from "../../util/errors.ts";
import { type Entry, type Place, valuesOf } from "./config-file.ts";

/** A database as the console shows it: https://www.pgbouncer.org/usage.html#show-databases */
export interface ShownDatabase extends Place {
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
    const shown = await client.query("SHOW VERSION").catch(() => undefined);
    if (!/pgbouncer/i.test(shown?.rows[0]?.version ?? ""))
      throw new RefusedError(
        `cutover.pgbouncer.adminUrl leads to no PgBouncer console (its database is named pgbouncer), but to ` +
          `"${admin.database}" on ${admin.host}:${admin.port}`,
      );
    return use(client);
  });
}

/** The database of that name for clients, or undefined. */
export async function showDatabase(console: pg.Client, name: string): Promise<ShownDatabase | undefined> {
  const { rows } = await console.query("SHOW DATABASES");
  const found = rows.find((row) => row.name === name);
  if (found === undefined) return undefined;
  const { host, port, database, paused, pool_mode: poolMode } = found;
  return { host: host ?? "", port: Number(port), database, paused: Number(paused) === 1, poolMode };
}

/** Its settings by name. */
export async function showConfig(console: pg.Client): Promise<Record<string, string | null>> {
  const { rows } = await console.query("SHOW CONFIG");
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

/** The console takes a name in quotes, without a quote in it. */
function quoted(name: string): string {
  if (name.includes('"')) throw new RefusedError(`PgBouncer's console cannot name the database ${name}`);
  return `"${name}"`;
}

/** Lets waiting clients go on, where they were paused. */
export async function resume(console: pg.Client, name: string): Promise<void> {
  if ((await showDatabase(console, name))?.paused === true) await console.query(`RESUME ${quoted(name)}`);
}

/** Whether the user of the console may pause; those of stats_users may only look. It changes nothing. */
export async function mayPause(console: pg.Client, name: string): Promise<boolean> {
  if ((await showDatabase(console, name))?.paused === true) return true;
  const answer = await console.query(`RESUME ${quoted(name)}`).catch((error: Error) => error);
  return !(answer instanceof Error && /admin access/.test(answer.message));
}

/** Who keeps a session of the server, so that a pause cannot come to its end. */
async function holdersOf(console: pg.Client, name: string): Promise<string[]> {
  const { rows: servers } = await console.query("SHOW SERVERS");
  const { rows: clients } = await console.query("SHOW CLIENTS");
  return servers
    .filter(({ database, link }) => database === name && link !== "")
    .map(({ user, link, remote_pid: pid }) => {
      const { addr, port, application_name: application } = clients.find(({ ptr }) => ptr === link) ?? {};
      return `user ${user} from ${addr}:${port} (${application || "no application name"}), process ${pid} of the server`;
    });
}

/**
 * Makes the clients of a database wait, each after its open transaction (in session pooling, each after its session).
 * Those that have not ended within `seconds` are named in the UserError thrown, and all go on as before.
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
        `PgBouncer could not pause "${name}" within ${seconds} s, and goes on as before. It waits for ` +
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

import { createHash, randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import {
  type ConnectionSettings,
  openClient,
  withClient,
  withTransaction,
} from "../../postgres/connection.ts";
import { UserError } from "../../util/errors.ts";

const quote = pg.escapeIdentifier;
const literal = pg.escapeLiteral;

/** A database that is filled beside the target and takes its name when it is right. */
export interface FreshDatabase {
  readonly name: string;
  /** The admin on it. */
  readonly admin: ConnectionSettings;
}

function prefixFor(target: string): string {
  return `pgstack_restore_${createHash("sha256").update(target).digest("hex").slice(0, 8)}_`;
}

/** A session on a database other than the target, and how to open another. */
export interface Maintenance {
  readonly client: pg.Client;
  readonly settings: ConnectionSettings;
}

/** The admin on a database other than the target, since that is renamed: `postgres`, or `template1`. */
async function maintenanceOf(target: ConnectionSettings): Promise<Maintenance> {
  const open = async (database: string) => {
    const settings = { ...target, database };
    return { settings, client: await openClient(settings) };
  };
  if (target.database === "postgres") return open("template1");
  return open("postgres").catch(() => open("template1"));
}

/**
 * Lends a session outside of the target that holds the right to restore into it; only one run has it at a time,
 * and it dies with the session. Throws UserError when another run has it.
 */
export async function withRestoreLock<T>(
  target: ConnectionSettings,
  use: (maintenance: Maintenance) => Promise<T>,
): Promise<T> {
  const maintenance = await maintenanceOf(target);
  const { client } = maintenance;
  try {
    const key = createHash("sha256").update(`pgstack restore ${target.database}`).digest().readBigInt64BE();
    const { rows } = await client.query("SELECT pg_try_advisory_lock($1) AS got", [key]);
    if (!rows[0].got)
      throw new UserError(`Another restore into database "${target.database}" is running; wait for its end.`);
    return await use(maintenance);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Drops what killed restores into the target left; the caller holds the restore lock. Gives their names. */
export async function dropLeftovers(maintenance: Maintenance, target: string): Promise<string[]> {
  const { rows } = await maintenance.client.query<{ datname: string }>(
    "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
    [prefixFor(target)],
  );
  for (const { datname } of rows) await dropDatabase(maintenance, datname);
  return rows.map(({ datname }) => datname);
}

/**
 * Drops a database of ours, its sessions ended. Before a drop the server writes its whole cache to the disk, which takes
 * long, and fails where the disk is full: so the tables go first, as far as they can.
 */
export async function dropDatabase({ client, settings }: Maintenance, name: string): Promise<void> {
  await withClient({ ...settings, database: name }, dropTables).catch(() => {});
  await client.query(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`);
}

/** One by one, since each frees space that the next may need. */
async function dropTables(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema'`,
  );
  await client.query("SET lock_timeout = '1s'"); // a session that is not gone yet is ended by the drop
  for (const { name } of rows) await client.query(`DROP TABLE IF EXISTS ${name} CASCADE`);
}

/**
 * Makes an empty database like the target (encoding, locale, tablespace), owned by `owner` for now, which no
 * other role may connect to.
 */
export async function createFresh(
  { client }: Maintenance,
  target: ConnectionSettings,
  owner: string,
): Promise<FreshDatabase> {
  const { rows } = await client.query(
    `SELECT to_jsonb(d) AS d, pg_encoding_to_char(encoding) AS encoding, spcname AS tablespace
     FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = $1`,
    [target.database],
  );
  const { d, encoding, tablespace } = rows[0];
  const locale = d.daticulocale ?? d.datlocale; // renamed in version 17
  const provider = { i: "icu", b: "builtin" }[d.datlocprovider as string];
  const options = [
    `OWNER ${quote(owner)} TEMPLATE template0 ENCODING ${literal(encoding)} TABLESPACE ${quote(tablespace)}`,
    `LC_COLLATE ${literal(d.datcollate)} LC_CTYPE ${literal(d.datctype)}`,
    provider === undefined ? "" : `LOCALE_PROVIDER ${provider}`,
    provider === undefined
      ? ""
      : `${provider === "icu" ? "ICU_LOCALE" : "BUILTIN_LOCALE"} ${literal(locale)}`,
    d.daticurules == null ? "" : `ICU_RULES ${literal(d.daticurules)}`,
  ];
  const name = prefixFor(target.database) + randomBytes(4).toString("hex");
  await client.query(`CREATE DATABASE ${quote(name)} ${options.join(" ")}`);
  await client.query(`REVOKE ALL ON DATABASE ${quote(name)} FROM PUBLIC`);
  return { name, admin: { ...target, database: name } };
}

/** What is said to be done outlives a crash, with all that was committed before, even where the server does not wait for its disk. */
const lasting =
  "SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off'";

/**
 * Gives the fresh database the target's name, in one transaction, and drops the old one. The sessions on the target
 * are ended while new ones wait on the rename's lock. Throws UserError with their list when some stay.
 */
export async function swap(maintenance: Maintenance, target: string, fresh: string): Promise<void> {
  const old = `${prefixFor(target)}old_${randomBytes(4).toString("hex")}`;
  await whileEndingSessions(maintenance, [target, fresh], async () => {
    try {
      await withTransaction(maintenance.client, async () => {
        await maintenance.client.query(`SET LOCAL lock_timeout = '10s'; ${lasting}`);
        await maintenance.client.query(`ALTER DATABASE ${quote(target)} RENAME TO ${quote(old)}`);
        await maintenance.client.query(`ALTER DATABASE ${quote(fresh)} RENAME TO ${quote(target)}`);
      });
    } catch (error) {
      throw await stillInUse(maintenance, target, error);
    }
  });
  await leaveToServer(maintenance, old);
}

const dropPatienceMs = 200;

/**
 * Drops a database, and waits only so long: the server writes its whole cache to disk first, which can take as long
 * as the restore, and goes on by itself when nobody waits. Should it be stopped meanwhile, the next restore drops it.
 */
async function leaveToServer({ settings }: Maintenance, name: string): Promise<void> {
  const client = await openClient(settings);
  const dropped = client.query(`DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`).catch(() => {});
  await Promise.race([dropped, setTimeout(dropPatienceMs, undefined, { ref: false })]);
  await client.end().catch(() => {});
}

const endEveryMs = 200;

/** Ends the databases' sessions again and again until `use` is done (a rename waits up to 5 s for them to go). */
async function whileEndingSessions(
  { settings }: Maintenance,
  databases: string[],
  use: () => Promise<void>,
): Promise<void> {
  await withClient(settings, async (client) => {
    const end = () =>
      client
        .query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = ANY ($1) AND backend_type = 'client backend'`,
          [databases],
        )
        .catch(() => {}); // whoever may not be ended is named by the rename's own failure
    const work = use();
    const over = work.then(
      () => true,
      () => true,
    );
    do await end();
    while (!(await Promise.race([over, setTimeout(endEveryMs, false, { ref: false })])));
    await work;
  });
}

async function stillInUse({ client }: Maintenance, target: string, cause: unknown): Promise<UserError> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('process %s of %s', pid, coalesce(usename, backend_type)) AS name
     FROM pg_stat_activity WHERE datname = $1`,
    [target],
  );
  const sessions = rows.map(({ name }) => `\n  ${name}`).join("");
  return new UserError(
    `Database "${target}" could not be replaced: ${(cause as Error).message}. Sessions on it:${sessions || " none"}\n` +
      "It is as it was before. End them and restore again.",
    { cause },
  );
}

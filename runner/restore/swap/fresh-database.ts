import { createHash, randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type pg from "pg";
import { advisoryKey, tryAdvisoryLock } from "../../postgres/advisory-lock.ts";
import {
  type ConnectionSettings,
  openClient,
  withClient,
  withTransaction,
} from "../../postgres/connection.ts";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { identifier, isNotSystemSchema, literal } from "../../postgres/sql.ts";
import { UserError } from "../../util/errors.ts";
import { neededMemberships, recordedMemberships, recordMemberships, withMemberships } from "./memberships.ts";

/** A database that is loaded beside the target and takes its name when it is right. */
export interface FreshDatabase {
  readonly name: string;
  /** The admin on it. */
  readonly admin: ConnectionSettings;
  /** Roles that the admin has to join for the restore; none for a superuser. */
  readonly memberships: readonly string[];
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
    if (!(await tryAdvisoryLock(client, advisoryKey(`pgstack restore ${target.database}`))))
      throw new UserError(`Another restore into database "${target.database}" is running; wait for its end.`);
    return await use(maintenance);
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Drops what killed restores into the target left, and leaves the roles that they had joined; the caller holds the restore
 * lock. Gives the databases' names.
 */
export async function dropLeftovers(maintenance: Maintenance, target: string): Promise<string[]> {
  const rows = await rowsOf<{ name: string }>(
    maintenance.client,
    "SELECT datname AS name FROM pg_catalog.pg_database WHERE starts_with(datname, $1)",
    [prefixFor(target)],
  );
  for (const { name } of rows) {
    const roles = await recordedMemberships(maintenance.client, name);
    await withMemberships(maintenance, roles, () => dropDatabase(maintenance, name));
  }
  return rows.map(({ name }) => name);
}

/**
 * Drops a database of ours, its sessions ended. Before a drop the server writes its whole cache to the disk, which takes
 * long, and fails where the disk is full: so the tables go first, as far as they can.
 */
export async function dropDatabase({ client, settings }: Maintenance, name: string): Promise<void> {
  await withClient({ ...settings, database: name }, dropTables).catch(() => {});
  await client.query(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`);
}

/** One by one, since each frees space that the next may need. */
async function dropTables(client: pg.Client): Promise<void> {
  const rows = await rowsOf<{ name: string }>(
    client,
    `SELECT format('%I.%I', nspname, relname) AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind = 'r' AND ${isNotSystemSchema("nspname")}`,
  );
  await client.query("SET lock_timeout = '1s'"); // a session that is not gone yet is ended by the drop
  for (const { name } of rows) await client.query(`DROP TABLE IF EXISTS ${name} CASCADE`);
}

interface TargetRow {
  /** The target's row of pg_database, whose columns differ by version. */
  readonly d: Readonly<Record<string, string | null>>;
  readonly encoding: string;
  /** Null where it is the one that a new database gets anyway: to name that one needs a right. */
  readonly tablespace: string | null;
}

/** The clauses that make a database like another, those left out that say the default. */
function optionsOf({ d, encoding, tablespace }: TargetRow): string {
  const provider = { i: "icu", b: "builtin" }[d.datlocprovider as string];
  const locale = d.daticulocale ?? d.datlocale ?? ""; // renamed in version 17
  const ofProvider = provider === "icu" ? "ICU_LOCALE" : "BUILTIN_LOCALE";
  return [
    `TEMPLATE template0 ENCODING ${literal(encoding)}`,
    ...(tablespace === null ? [] : [`TABLESPACE ${identifier(tablespace)}`]),
    `LC_COLLATE ${literal(d.datcollate ?? "")} LC_CTYPE ${literal(d.datctype ?? "")}`,
    ...(provider === undefined ? [] : [`LOCALE_PROVIDER ${provider} ${ofProvider} ${literal(locale)}`]),
    ...(d.daticurules == null ? [] : [`ICU_RULES ${literal(d.daticurules)}`]),
  ].join(" ");
}

/**
 * Makes an empty database like the target (encoding, locale, tablespace), the admin's own for now.
 * @param roles those that the restore acts for: the ones that the admin has to join are noted on the database
 */
export async function createFresh(
  { client }: Maintenance,
  target: ConnectionSettings,
  roles: readonly string[],
): Promise<FreshDatabase> {
  const row = await oneRow<TargetRow>(
    client,
    `SELECT to_jsonb(d) AS d, pg_encoding_to_char(encoding) AS encoding,
       CASE WHEN dattablespace <> (SELECT dattablespace FROM pg_database WHERE datname = 'template0') THEN spcname END AS tablespace
     FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = $1`,
    [target.database],
  );
  const memberships = await neededMemberships(client, roles);
  const name = prefixFor(target.database) + randomBytes(4).toString("hex");
  await client.query(`CREATE DATABASE ${identifier(name)} ${optionsOf(row)}`);
  await client.query(recordMemberships(name, memberships));
  return { name, admin: { ...target, database: name }, memberships };
}

/** Gives the fresh database to the owner for the time of the load; no other role may connect to it. */
export async function giveFresh(
  { client }: Maintenance,
  { name }: FreshDatabase,
  owner: string,
): Promise<void> {
  await client.query(`ALTER DATABASE ${identifier(name)} OWNER TO ${identifier(owner)}`);
  await client.query(`REVOKE ALL ON DATABASE ${identifier(name)} FROM PUBLIC`);
}

/** What is said to be done outlives a crash, with all that was committed before, even where the server does not wait for its disk. */
const lasting =
  "SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off'";

/** What takes whose place. */
interface Swap {
  /** The name that both have, one after the other. */
  readonly target: string;
  readonly fresh: FreshDatabase;
  /** The target's comment. */
  readonly comment: string | null;
}

/**
 * Gives the fresh database the target's name, in one transaction, and drops the old one. The sessions on the target
 * are ended while new ones wait on the rename's lock. Throws UserError with their list when some stay.
 */
export async function swap(maintenance: Maintenance, { target, fresh, comment }: Swap): Promise<void> {
  const { client } = maintenance;
  const old = `${prefixFor(target)}old_${randomBytes(4).toString("hex")}`;
  await whileEndingSessions(maintenance, [target, fresh.name], async () => {
    try {
      await withTransaction(client, async () => {
        await client.query(`SET LOCAL lock_timeout = '10s'; ${lasting}`);
        await client.query(`ALTER DATABASE ${identifier(target)} RENAME TO ${identifier(old)}`);
        await client.query(`ALTER DATABASE ${identifier(fresh.name)} RENAME TO ${identifier(target)}`);
        await client.query(
          `COMMENT ON DATABASE ${identifier(target)} IS ${comment === null ? "NULL" : literal(comment)}`,
        );
        if (fresh.memberships.length > 0) await keepForDrop(client, old, fresh.memberships);
      });
    } catch (error) {
      throw await stillInUse(maintenance, target, error);
    }
  });
  await leaveToServer(maintenance, old);
}

/** The admin has left the owner's role by the time the server drops the database, and must own it then. */
async function keepForDrop(client: pg.Client, old: string, memberships: readonly string[]): Promise<void> {
  await client.query(recordMemberships(old, memberships));
  await client.query(`ALTER DATABASE ${identifier(old)} OWNER TO CURRENT_USER`);
}

const dropPatienceMs = 200;

/**
 * Drops a database, and waits only so long: the server writes its whole cache to disk first, which can take as long
 * as the restore, and continues by itself when nobody waits. Should it be stopped meanwhile, the next restore drops it.
 */
async function leaveToServer({ settings }: Maintenance, name: string): Promise<void> {
  const client = await openClient(settings);
  const dropped = client.query(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`).catch(() => {});
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
  const rows = await rowsOf<{ name: string }>(
    client,
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

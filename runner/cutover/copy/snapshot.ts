import type pg from "pg";
import type { ConnectionSettings } from "../../postgres/connection.ts";
import { oneRow } from "../../postgres/rows.ts";
import { readServerVersion } from "../../postgres/server-version.ts";
import { UserError } from "../../util/errors.ts";
import { withMany } from "../../util/task-pool.ts";
import { type CopyTable, listTables } from "../compare/catalog.ts";
import { withAdmin } from "../connections.ts";
import { type DatabaseSetting, listSettings } from "./database-settings.ts";
import {
  type Grant,
  listGrants,
  listOwners,
  listUserMappings,
  type Owned,
  type UserMapping,
} from "./ownership.ts";
import { listPopulatedViews } from "./post-data.ts";

/** What the source looked like at one moment. */
export interface Snapshot {
  /** The server's name for it, for pg_dump and further sessions. */
  readonly id: string;
  readonly major: number;
  readonly encoding: string;
  readonly searchPath: string;
  readonly tables: readonly CopyTable[];
  readonly views: readonly string[];
  readonly owners: readonly Owned[];
  readonly grants: readonly Grant[];
  readonly settings: readonly DatabaseSetting[];
  readonly userMappings: readonly UserMapping[];
}

/** Output that does not depend on what the database or the role has set. */
export const pinnedOutput = `
  SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET bytea_output = 'hex';
  SET extra_float_digits = 3; SET lc_monetary = 'C'; SET xmloption = 'content'; SET standard_conforming_strings = on`;

const begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/** What keeps a copy from beginning: somebody who waits to change a table waits for us, and we would wait for them. */
export class TablesInUse extends UserError {
  constructor(cause: unknown) {
    super(
      "Cannot take a consistent snapshot of the source: a session holds an ACCESS EXCLUSIVE lock on a table being changed in " +
        "form (ALTER TABLE, TRUNCATE, LOCK, VACUUM FULL). Try again when it has finished. PostgreSQL says: " +
        (cause as Error).message,
      { cause },
    );
  }
}

/** A lock that was waited for in vain, or a table or column that has gone in the meantime, by its own name. */
export function orTablesInUse(error: unknown): unknown {
  const { code } = error as { code?: string };
  return code !== undefined && ["55P03", "42P01", "42703"].includes(code) ? new TablesInUse(error) : error;
}

/** Time for a lock that nobody stands in the way of. */
export const lockSeconds = 2;

/** Each session that will read a table locks it before any row is read: later it could wait for ever. */
async function lockTables(client: pg.Client, tables: readonly CopyTable[], seconds: number): Promise<void> {
  if (tables.length === 0) return;
  const names = tables.map(({ name }) => name).join(", ");
  const within = (time: number) => `SET LOCAL lock_timeout = '${time}s'`;
  try {
    await client.query(`${within(seconds)}; LOCK TABLE ${names} IN ACCESS SHARE MODE; ${within(0)}`);
  } catch (error) {
    throw orTablesInUse(error);
  }
}

/** How many tables may be locked, of what all sessions share (max_locks_per_transaction in PostgreSQL's manual): half of it. */
async function roomForLocks(client: pg.Client): Promise<number> {
  const { room } = await oneRow<{ room: number }>(
    client,
    `SELECT current_setting('max_locks_per_transaction')::int
       * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) / 2 AS room`,
  );
  return room;
}

/** Where there are too many tables for that, a session that waits in vain for one ends, and the copy with it. */
async function lockOrEnd(client: pg.Client, tables: readonly CopyTable[], fit: boolean): Promise<void> {
  if (fit) await lockTables(client, tables, lockSeconds);
  else await client.query("SET LOCAL lock_timeout = '60s'");
}

async function describeSnapshot(client: pg.Client, id: string): Promise<Snapshot> {
  const { major } = await readServerVersion(client);
  const { encoding, path } = await oneRow<{ encoding: string; path: string }>(
    client,
    "SELECT current_setting('server_encoding') AS encoding, current_setting('search_path') AS path",
  );
  await client.query("SET search_path = ''"); // so that every name is printed with its schema
  const tables = await listTables(client);
  await lockTables(client, tables, 60);
  const views = await listPopulatedViews(client);
  const [owners, grants, settings] = [
    await listOwners(client),
    await listGrants(client),
    await listSettings(client),
  ];
  return {
    id,
    major,
    encoding,
    searchPath: path === "" ? "''" : path,
    tables,
    views,
    owners,
    grants,
    settings,
    userMappings: await listUserMappings(client),
  };
}

/** Joins a session to an exported snapshot, for reading. */
export async function joinSnapshot(client: pg.Client, id: string): Promise<void> {
  await client.query(`${pinnedOutput}; ${begin}; SET TRANSACTION SNAPSHOT '${id}'`);
}

/**
 * Lends `count` sessions of the source that all see the same moment: that of the snapshot `given`, or now.
 * Its tables cannot be changed in form until `use` ends. Throws TablesInUse where somebody is at that.
 */
export async function withSnapshot<T>(
  source: ConnectionSettings,
  options: { readonly readers: number; readonly given?: string | undefined },
  use: (snapshot: Snapshot, readers: readonly pg.Client[]) => Promise<T>,
): Promise<T> {
  const open = (lent: (reader: pg.Client) => Promise<T>) => withAdmin(source, lent);
  return withAdmin(source, (client) =>
    withMany(options.readers, open, async (readers) => {
      if (options.given === undefined) await client.query(begin);
      else await joinSnapshot(client, options.given);
      const { id } = await oneRow<{ id: string }>(client, "SELECT pg_export_snapshot() AS id");
      const snapshot = await describeSnapshot(client, id);
      const fit = snapshot.tables.length * (1 + readers.length) <= (await roomForLocks(client));
      await Promise.all(
        readers.map(async (reader) => {
          await joinSnapshot(reader, snapshot.id);
          await lockOrEnd(reader, snapshot.tables, fit);
        }),
      );
      return use(snapshot, readers);
    }),
  );
}

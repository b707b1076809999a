import type pg from "pg";
import type { ConnectionSettings } from "../connection.ts";
import { type CopyTable, listTables } from "./catalog.ts";
import { type DatabaseSetting, listSettings } from "./database-settings.ts";
import { listGrants, listOwners, type Owned } from "./ownership.ts";
import { listFilledViews } from "./post-data.ts";
import { withAdmin } from "./session.ts";
import { type Grant } from "./state.ts";
import { withMany } from "./work.ts";

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
}

/** Output that does not depend on what the database or the role has set. */
export const pinnedOutput = `
  SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET bytea_output = 'hex';
  SET extra_float_digits = 3; SET lc_monetary = 'C'; SET xmloption = 'content'; SET standard_conforming_strings = on`;

const begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

async function describeSnapshot(client: pg.Client, id: string): Promise<Snapshot> {
  const { rows } = await client.query(
    `SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_encoding') AS encoding,
       current_setting('search_path') AS path`,
  );
  const { major, encoding, path } = rows[0];
  await client.query("SET search_path = ''"); // so that every name is printed with its schema
  const tables = await listTables(client);
  if (tables.length > 0)
    await client.query(`LOCK TABLE ${tables.map(({ name }) => name).join(", ")} IN ACCESS SHARE MODE`);
  const views = await listFilledViews(client);
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
  };
}

/** Joins a session to an exported snapshot, for reading. */
export async function joinSnapshot(client: pg.Client, id: string): Promise<void> {
  await client.query(`${pinnedOutput}; ${begin}; SET TRANSACTION SNAPSHOT '${id}'`);
}

/**
 * Lends `count` sessions of the source that all see the same moment: that of the snapshot `given`, or now.
 * Its tables cannot be changed in form until `use` ends.
 */
export async function withSnapshot<T>(
  source: ConnectionSettings,
  options: { readonly readers: number; readonly given?: string | undefined },
  use: (snapshot: Snapshot, readers: readonly pg.Client[]) => Promise<T>,
): Promise<T> {
  return withAdmin(source, async (client) => {
    if (options.given === undefined) await client.query(begin);
    else await joinSnapshot(client, options.given);
    const { rows } = await client.query("SELECT pg_export_snapshot() AS id");
    const snapshot = await describeSnapshot(client, rows[0].id);
    const lend = (lent: (reader: pg.Client) => Promise<T>) =>
      withAdmin(source, async (reader) => {
        await joinSnapshot(reader, snapshot.id);
        return lent(reader);
      });
    return withMany(options.readers, lend, (readers) => use(snapshot, readers));
  });
}

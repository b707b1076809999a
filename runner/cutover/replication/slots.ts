import { createHash } from "node:crypto";
import type pg from "pg";
import { type ConnectionSettings, openClient, withTransaction } from "../../postgres/connection.ts";
import { hasRow, maybeRow, oneRow } from "../../postgres/rows.ts";
import { identifier, literal } from "../../postgres/sql.ts";
import { UserError } from "../../util/errors.ts";
import { listTables } from "../compare/catalog.ts";
import { withAdmin, withoutTriggers } from "../connections.ts";
import {
  blockDefinitions,
  removeTargetWriteBlock,
  unblockDefinitions,
  writeBlockName,
} from "../freeze/write-block.ts";
import { ownPrefix } from "../moved-objects.ts";
import type { CutoverSession } from "../session.ts";
import type { CutoverSettings } from "../settings.ts";
import { dropUnusedSchema } from "../state/state.ts";
import { heartbeatTable, makeHeartbeat } from "./heartbeat.ts";
import { clearPending } from "./pending.ts";

/** What the names of a cutover's replication are made from. */
export type ReplicationOf = Pick<CutoverSettings, "stack" | "source">;

/** The name that publication, slot and subscription of a stack's cutover share; a slot's may hold a-z, 0-9 and _. */
export function replicationName({ stack, source }: ReplicationOf): string {
  return `pgstack_${createHash("sha256").update(`${stack} ${source.database}`).digest("hex").slice(0, 16)}`;
}

/** The second slot of a cutover's publication: it says which rows are written while both sides are compared. */
export function changeSlot(cutover: ReplicationOf): { readonly name: string; readonly publication: string } {
  const publication = replicationName(cutover);
  return { name: `${publication}_changes`, publication };
}

/** Both slots of a cutover. */
export function slotsOf(cutover: ReplicationOf): string[] {
  return [replicationName(cutover), changeSlot(cutover).name];
}

/** Does `work`, which may change definitions, under the bar that a freeze has put on them. */
async function withDefinitions(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await withTransaction(client, async () => {
    const blocked = await hasRow(client, "SELECT FROM pg_event_trigger WHERE evtname = $1", [writeBlockName]);
    await unblockDefinitions(client);
    await work();
    if (blocked) await blockDefinitions(client);
  });
}

/** Names what is replicated, and by its comment which stack follows: every table, and a heartbeat that shows when all before it has arrived. */
async function publish(client: pg.Client, cutover: CutoverSettings): Promise<void> {
  const tables = await listTables(client);
  const full = new Set(cutover.replicaIdentityFull);
  await withDefinitions(client, async () => {
    await client.query(makeHeartbeat);
    for (const { name } of tables.filter(
      (table) => full.has(`${table.schema}.${table.table}`) || full.has(table.name),
    ))
      await client.query(`ALTER TABLE ${name} REPLICA IDENTITY FULL`);
    const names = [...tables.map(({ name }) => name), heartbeatTable.name].join(", ");
    const publication = replicationName(cutover);
    await client.query(
      `CREATE PUBLICATION ${publication} FOR TABLE ${names}; COMMENT ON PUBLICATION ${publication} IS ${literal(cutover.stack)}`,
    );
  });
}

/**
 * Publishes the source's tables and makes the slot that keeps every change from now on; lends the snapshot that
 * ends where the slot begins.
 */
export async function withReplicationSlot<T>(
  cutover: CutoverSettings,
  use: (snapshot: string) => Promise<T>,
): Promise<T> {
  await withAdmin(cutover.source, (client) => publish(client, cutover));
  const walsender = await openClient(cutover.source, { replication: "database" });
  try {
    const { snapshot_name } = await oneRow<{ snapshot_name: string }>(
      walsender,
      `CREATE_REPLICATION_SLOT ${replicationName(cutover)} LOGICAL pgoutput EXPORT_SNAPSHOT`,
    );
    return await use(snapshot_name);
  } finally {
    await walsender.end().catch(() => {});
  }
}

function conninfo({
  host,
  port,
  user,
  password,
  database,
  sslMode,
  sslRootCert,
}: ConnectionSettings): string {
  const parts = { host, port, user, password, dbname: database, sslmode: sslMode, sslrootcert: sslRootCert };
  return Object.entries(parts)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}='${String(value).replace(/[\\']/g, "\\$&")}'`)
    .join(" ");
}

/** Keeps what follows out of the target's log, where the user may set that. */
const unlogged = [
  "log_statement = 'none'",
  "log_min_duration_statement = -1",
  "log_min_error_statement = 'panic'",
]
  .map((setting) => `BEGIN SET ${setting}; EXCEPTION WHEN insufficient_privilege THEN NULL; END;`)
  .join(" ");

/**
 * Makes a subscription. The password of the source stands in it: it goes to the server as a value of its own, so that a log
 * of DDL does not show it, and an error comes without the statement.
 */
async function createSubscription(
  client: pg.Client,
  { source, name, options }: { source: ConnectionSettings; name: string; options: string },
): Promise<void> {
  await client.query(`DO $$ BEGIN ${unlogged} END $$`);
  await client.query("SELECT set_config('pgstack.source', $1, false)", [conninfo(source)]);
  const create = `CREATE SUBSCRIPTION ${name} CONNECTION %L PUBLICATION ${name} WITH (create_slot = false, copy_data = false, ${options})`;
  await client.query(
    `DO $$ BEGIN EXECUTE format(${literal(create)}, current_setting('pgstack.source'));
     EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM; END $$`,
  );
  await client.query("RESET pgstack.source");
}

/** Starts to apply on the target what the slot has kept since the copy. */
export async function subscribe(client: pg.Client, cutover: CutoverSettings): Promise<void> {
  const name = replicationName(cutover);
  await client.query(`${makeHeartbeat}; TRUNCATE ${heartbeatTable.name}`);
  await createSubscription(client, { source: cutover.source, name, options: `slot_name = '${name}'` });
}

/** Tries a subscription, from whose server the source must be reached too, in a transaction that is rolled back. Gives the reason where it fails. */
export async function trySubscription(
  client: pg.Client,
  source: ConnectionSettings,
): Promise<string | undefined> {
  await client.query("BEGIN");
  try {
    const options = "enabled = false, slot_name = NONE";
    await createSubscription(client, { source, name: `${ownPrefix}ability`, options });
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    return /due to statement timeout/.test(message) ? undefined : message; // the source's own limit: it was reached
  } finally {
    await client.query("ROLLBACK");
  }
}

/** Whether the target is subscribed to a slot that is there. */
export async function isReplicating(
  source: pg.Client,
  target: pg.Client,
  cutover: CutoverSettings,
): Promise<boolean> {
  const name = replicationName(cutover);
  return (await hasSubscription(target, name)) && (await hasSlot(source, name));
}

const hasSubscription = (client: pg.Client, name: string) =>
  hasRow(client, "SELECT FROM pg_subscription WHERE subname = $1", [name]);

/** Whether a replication slot is there and still has all that it should keep. */
export async function hasSlot(source: pg.Client, name: string): Promise<boolean> {
  const slot = await maybeRow<{ whole: boolean }>(
    source,
    "SELECT wal_status IS DISTINCT FROM 'lost' AS whole FROM pg_replication_slots WHERE slot_name = $1",
    [name],
  );
  return slot?.whole ?? false;
}

/** Makes the second slot, which begins where the first one has arrived; it does not wait for open transactions. */
export async function makeChangeSlot(source: pg.Client, cutover: CutoverSettings): Promise<void> {
  const { name, publication } = changeSlot(cutover);
  await dropSlot(source, name);
  await source.query("SELECT pg_copy_logical_replication_slot($1, $2)", [publication, name]);
}

async function dropSubscription(client: pg.Client, name: string): Promise<void> {
  if (!(await hasSubscription(client, name))) return;
  const subscription = identifier(name);
  await client.query(`ALTER SUBSCRIPTION ${subscription} DISABLE`);
  await client.query(`ALTER SUBSCRIPTION ${subscription} SET (slot_name = NONE)`);
  await client.query(`DROP SUBSCRIPTION ${subscription}`);
}

async function dropSlot(client: pg.Client, name: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const slot = await maybeRow<{ active_pid: number | null }>(
      client,
      "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1",
      [name],
    );
    if (slot === undefined) return;
    if (slot.active_pid === null)
      await client.query("SELECT pg_drop_replication_slot($1)", [name]).catch(() => {});
    else await client.query("SELECT pg_terminate_backend($1)", [slot.active_pid]);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new UserError(`The replication slot ${name} on the source did not become free within 10 seconds`);
}

/** Forgets the pre-freeze comparison, and lets clients write to the target, in the caller's transaction. */
export async function clearPreFreezeComparison(session: CutoverSession): Promise<void> {
  const { target, state } = session;
  await target.query(withoutTriggers("LOCAL"));
  await removeTargetWriteBlock(target);
  await clearPending(target);
  if (state?.ahead !== undefined)
    await session.replaceState({ ...state, ahead: undefined, compared: undefined });
}

/** Ends what a pre-freeze comparison needs; replication continues. Safe to repeat. */
export async function endComparison(session: CutoverSession): Promise<void> {
  const { target, settings } = session;
  await withTransaction(target, () => clearPreFreezeComparison(session));
  await withAdmin(settings.source, (source) => dropSlot(source, changeSlot(settings).name));
}

/** Removes slots and publication, whichever there are, so that the source keeps no log for a target. Safe to repeat. */
export async function endOnSource(settings: ReplicationOf): Promise<void> {
  await withAdmin(settings.source, async (source) => {
    for (const slot of slotsOf(settings)) await dropSlot(source, slot);
    await withDefinitions(source, async () => {
      const publication = replicationName(settings);
      await source.query(
        `DROP PUBLICATION IF EXISTS ${publication}; DROP TABLE IF EXISTS ${heartbeatTable.name}`,
      );
      await dropUnusedSchema(source);
    });
  });
}

/** Removes subscription, slots and publication, whichever there are, and what was compared. Safe to repeat. */
export async function endReplication(session: CutoverSession): Promise<void> {
  const { target, settings } = session;
  try {
    await dropSubscription(target, replicationName(settings));
    await withTransaction(target, () => clearPreFreezeComparison(session));
  } finally {
    await endOnSource(settings);
  }
}

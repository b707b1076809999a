import { createHash, randomUUID } from "node:crypto";
import type pg from "pg";
import { type ConnectionSettings, openClient, withTransaction } from "../connection.ts";
import { UserError } from "../user-error.ts";
import { listTables } from "./catalog.ts";
import { guardDefinitions, guardName, unguardDefinitions } from "./guards.ts";
import type { Cutover } from "./request.ts";
import { withAdmin } from "./session.ts";
import { identifier, literal, stateSchema } from "./state.ts";

/** The name that publication, slot and subscription of a stack's cutover share; a slot's may hold a-z, 0-9 and _. */
export function replicationName({ stack, source }: Cutover): string {
  return `pgstack_${createHash("sha256").update(`${stack} ${source.database}`).digest("hex").slice(0, 16)}`;
}

const heartbeat = `${stateSchema}.heartbeat`;
const makeHeartbeat = `CREATE SCHEMA IF NOT EXISTS ${stateSchema};
  CREATE TABLE IF NOT EXISTS ${heartbeat} (id int PRIMARY KEY, beat text NOT NULL)`;

/** Does `work`, which may change definitions, under the bar that a freeze has put on them. */
async function withDefinitions(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await withTransaction(client, async () => {
    const { rowCount } = await client.query("SELECT FROM pg_event_trigger WHERE evtname = $1", [guardName]);
    await unguardDefinitions(client);
    await work();
    if (rowCount !== 0) await guardDefinitions(client);
  });
}

/** Names what is replicated: every table, and a heartbeat that shows when all before it has arrived. */
async function publish(client: pg.Client, cutover: Cutover): Promise<void> {
  const tables = await listTables(client);
  const full = new Set(cutover.replicaIdentityFull);
  await withDefinitions(client, async () => {
    await client.query(makeHeartbeat);
    for (const { name } of tables.filter(
      (table) => full.has(`${table.schema}.${table.table}`) || full.has(table.name),
    ))
      await client.query(`ALTER TABLE ${name} REPLICA IDENTITY FULL`);
    const names = [...tables.map(({ name }) => name), heartbeat].join(", ");
    await client.query(`CREATE PUBLICATION ${replicationName(cutover)} FOR TABLE ${names}`);
  });
}

/**
 * Publishes the source's tables and makes the slot that keeps every change from now on; lends the snapshot that
 * ends where the slot begins.
 */
export async function withReplicationSlot<T>(
  cutover: Cutover,
  use: (snapshot: string) => Promise<T>,
): Promise<T> {
  await withAdmin(cutover.source, (client) => publish(client, cutover));
  const walsender = await openClient(cutover.source, { replication: "database" });
  try {
    const { rows } = await walsender.query(
      `CREATE_REPLICATION_SLOT ${replicationName(cutover)} LOGICAL pgoutput EXPORT_SNAPSHOT`,
    );
    return await use(rows[0].snapshot_name);
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

/** The password of the source stands in a subscription: its statement stays out of the target's log. */
const unlogged =
  "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'";

/** Starts to apply on the target what the slot has kept since the copy. */
export async function subscribe(client: pg.Client, cutover: Cutover): Promise<void> {
  const name = replicationName(cutover);
  await client.query(`${makeHeartbeat}; TRUNCATE ${heartbeat}; ${unlogged}`);
  await client.query(
    `CREATE SUBSCRIPTION ${name} CONNECTION ${literal(conninfo(cutover.source))} PUBLICATION ${name}
     WITH (create_slot = false, copy_data = false, slot_name = '${name}')`,
  );
}

/** Waits until everything that was committed on the source has been applied here. */
export async function catchUp(source: pg.Client, target: pg.Client): Promise<void> {
  const beat = randomUUID();
  await source.query(
    `INSERT INTO ${heartbeat} VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET beat = excluded.beat`,
    [beat],
  );
  const end = Date.now() + 600_000;
  while (Date.now() < end) {
    const { rowCount } = await target.query(`SELECT FROM ${heartbeat} WHERE beat = $1`, [beat]);
    if (rowCount !== 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new UserError(
    "The target did not catch up with the source within 10 minutes: see ./pgstack cutover status",
  );
}

async function dropSubscription(client: pg.Client, name: string): Promise<void> {
  const { rowCount } = await client.query("SELECT FROM pg_subscription WHERE subname = $1", [name]);
  if (rowCount === 0) return;
  const subscription = identifier(name);
  await client.query(`ALTER SUBSCRIPTION ${subscription} DISABLE`);
  await client.query(`ALTER SUBSCRIPTION ${subscription} SET (slot_name = NONE)`);
  await client.query(`DROP SUBSCRIPTION ${subscription}`);
}

async function dropSlot(client: pg.Client, name: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const { rows } = await client.query("SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", [
      name,
    ]);
    if (rows.length === 0) return;
    if (rows[0].active_pid === null)
      await client.query("SELECT pg_drop_replication_slot($1)", [name]).catch(() => {});
    else await client.query("SELECT pg_terminate_backend($1)", [rows[0].active_pid]);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new UserError(`The replication slot ${name} on the source did not become free within 10 seconds`);
}

/** Removes subscription, slot and publication, whichever there are. Safe to repeat. */
export async function endReplication(cutover: Cutover): Promise<void> {
  const name = replicationName(cutover);
  await withAdmin(cutover.target, (client) => dropSubscription(client, name));
  await withAdmin(cutover.source, async (client) => {
    await dropSlot(client, name);
    await withDefinitions(client, async () => {
      await client.query(`DROP PUBLICATION IF EXISTS ${name}; DROP TABLE IF EXISTS ${heartbeat}`);
    });
  });
}

import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";
import { maybeRow, oneRow, rowsOf } from "../../postgres/rows.ts";
import { identifier, literal } from "../../postgres/sql.ts";
import { isMovedSchema } from "../moved-objects.ts";
import { readState, stateSchema } from "../state/state.ts";

/** The trigger that refuses writes, on every table, and the event trigger that refuses DDL. */
export const writeBlockName = "pgstack_freeze";

/**
 * Tables whose rows can be written: everything but catalogs, temporary tables and our own state.
 * Foreign tables are left out, since their rows are another server's.
 */
const writableTables = `
  SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    AND ${isMovedSchema("n.nspname")}`;

/** Against whom a write block stands: a source's against all, a target's against all but what replication applies. */
export type WriteBlockReach = "all" | "clients";

/** 62 = BEFORE, INSERT, DELETE, UPDATE, TRUNCATE, for each statement: catalog/pg_trigger.h */
const blocked = (reach: WriteBlockReach) => `
  SELECT tgrelid FROM pg_trigger
  WHERE tgname = '${writeBlockName}' AND tgenabled = '${reach === "all" ? "A" : "O"}' AND tgtype = 62 AND tgqual IS NULL`;

/** Tables with no write block in force. */
export async function unblockedTables(client: pg.Client, reach: WriteBlockReach = "all"): Promise<string[]> {
  const found = await rowsOf<{ name: string }>(
    client,
    `SELECT name FROM (${writableTables}) t WHERE oid NOT IN (${blocked(reach)}) ORDER BY name`,
  );
  return found.map(({ name }) => name);
}

/** Drops the write-block triggers that fulfil a condition. */
async function dropWriteBlockTriggers(client: pg.Client, condition: string): Promise<number> {
  const rows = await rowsOf<{ name: string }>(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_trigger t
     JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE t.tgname = '${writeBlockName}' AND NOT t.tgisinternal AND ${condition} ORDER BY name`,
  );
  if (rows.length > 0)
    await client.query(
      rows.map(({ name }) => `DROP TRIGGER IF EXISTS ${writeBlockName} ON ${name}`).join(";\n"),
    );
  return rows.length;
}

/** Lets clients write to a target again, in the caller's transaction; what a freeze has put there stays. */
export async function removeTargetWriteBlock(client: pg.Client): Promise<void> {
  await dropWriteBlockTriggers(client, "t.tgenabled = 'O'");
}

/** The message of every refusal; its code is that of PostgreSQL's own read-only transactions, 25006. */
const refusals: Record<WriteBlockReach, string> = {
  all: "this database is read-only: it is frozen for a cutover by pgstack",
  clients: "this database is read-only: a cutover by pgstack is about to move another one here",
};

const functions = (reach: WriteBlockReach) => `
  CREATE SCHEMA IF NOT EXISTS ${stateSchema};
  CREATE OR REPLACE FUNCTION ${stateSchema}.refuse_write() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION USING ERRCODE = '25006', MESSAGE = ${literal(refusals[reach])}; END $$;
  CREATE OR REPLACE FUNCTION ${stateSchema}.refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION USING ERRCODE = '25006', MESSAGE = ${literal(refusals[reach])}; END $$`;

/**
 * Puts a write-block trigger on each table that lacks one, in the caller's transaction. It takes SHARE ROW EXCLUSIVE locks,
 * which wait for every open transaction that has written; so no write to these tables can be uncommitted when
 * the caller commits, and none can begin after it.
 */
export async function blockWrites(client: pg.Client, reach: WriteBlockReach = "all"): Promise<number> {
  await client.query(functions(reach));
  const names = await unblockedTables(client, reach);
  if (names.length === 0) return 0;
  await client.query(`LOCK TABLE ${names.join(", ")} IN SHARE ROW EXCLUSIVE MODE`);
  const statements = names.map(
    (
      name,
    ) => `CREATE OR REPLACE TRIGGER ${writeBlockName} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${name}
      FOR EACH STATEMENT EXECUTE FUNCTION ${stateSchema}.refuse_write();
      ALTER TABLE ${name} ENABLE ${reach === "all" ? "ALWAYS " : ""}TRIGGER ${writeBlockName}`,
  );
  await client.query(statements.join(";\n"));
  return names.length;
}

const notAllowed = "42501";

/**
 * Refuses DDL from every session, in the caller's transaction. False where the user may not make event triggers: that
 * needs a superuser (or the managed service's counterpart).
 */
export async function blockDefinitions(client: pg.Client): Promise<boolean> {
  await client.query("SAVEPOINT definitions");
  try {
    const present = await rowsOf(client, "SELECT FROM pg_event_trigger WHERE evtname = $1", [writeBlockName]);
    if (present.length === 0)
      await client.query(
        `CREATE EVENT TRIGGER ${writeBlockName} ON ddl_command_start EXECUTE FUNCTION ${stateSchema}.refuse_ddl()`,
      );
    await client.query(`ALTER EVENT TRIGGER ${writeBlockName} ENABLE ALWAYS`);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== notAllowed) throw error;
    await client.query("ROLLBACK TO SAVEPOINT definitions");
    return false;
  }
}

/**
 * Lifts the bar on DDL for the caller's transaction; `blockDefinitions` puts it back before it commits.
 * Commands on event triggers fire none, so this works whatever is in force.
 */
export async function unblockDefinitions(client: pg.Client): Promise<void> {
  await client.query(`DROP EVENT TRIGGER IF EXISTS ${writeBlockName}`);
}

/** Removes every write block, in the caller's transaction. */
export async function removeWriteBlock(client: pg.Client): Promise<number> {
  await unblockDefinitions(client);
  const count = await dropWriteBlockTriggers(client, "true");
  await client.query(
    `DROP FUNCTION IF EXISTS ${stateSchema}.refuse_write(); DROP FUNCTION IF EXISTS ${stateSchema}.refuse_ddl()`,
  );
  return count;
}

/**
 * The functions that write large objects. Before PostgreSQL 16 a read-only transaction does not stop them,
 * and no trigger can stand on their catalog.
 */
const largeObjectWriters = [
  "lo_creat",
  "lo_create",
  "lo_from_bytea",
  "lo_put",
  "lowrite",
  "lo_truncate",
  "lo_truncate64",
  "lo_unlink",
];

/** Functions that write large objects and that PUBLIC may execute. */
async function openLargeObjectWrites(client: pg.Client): Promise<string[]> {
  const open = await rowsOf<{ signature: string }>(
    client,
    `SELECT p.oid::regprocedure::text AS signature FROM pg_proc p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY ($1)
       AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                   WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')`,
    [largeObjectWriters],
  );
  return open.map(({ signature }) => signature);
}

/** Takes the writing of large objects from PUBLIC, as far as the user may; returns the signatures of what was taken. */
export async function revokeLargeObjectWrites(client: pg.Client): Promise<string[]> {
  const open = await openLargeObjectWrites(client);
  if (open.length === 0) return [];
  await client.query(`REVOKE EXECUTE ON FUNCTION ${open.join(", ")} FROM PUBLIC`); // a warning where the user may not
  const left = new Set(await openLargeObjectWrites(client));
  return open.filter((signature) => !left.has(signature));
}

/** Gives back what `revokeLargeObjectWrites` took. */
export async function restoreLargeObjectWrites(
  client: pg.Client,
  signatures: readonly string[],
): Promise<void> {
  if (signatures.length > 0)
    await client.query(`GRANT EXECUTE ON FUNCTION ${signatures.join(", ")} TO PUBLIC`);
}

/** The database's own `default_transaction_read_only`, or null where it has none. */
export async function readOnlySetting(client: pg.Client): Promise<string | null> {
  const found = await maybeRow<{ value: string }>(
    client,
    `SELECT split_part(setting, '=', 2) AS value FROM pg_db_role_setting, unnest(setconfig) setting
     WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND setting LIKE 'default\\_transaction\\_read\\_only=%'`,
  );
  return found?.value ?? null;
}

/** Sets it, or removes it where the value is null. */
export async function setReadOnlySetting(client: pg.Client, value: string | null): Promise<void> {
  const { name } = await oneRow<{ name: string }>(client, "SELECT current_database() AS name");
  const to = value === null ? "RESET" : "SET";
  const suffix = value === null ? "" : ` TO ${literal(value)}`;
  await client.query(`ALTER DATABASE ${identifier(name)} ${to} default_transaction_read_only${suffix}`);
}

/**
 * Does `work` on definitions, in a session that may do so even where a cutover has frozen the database and its clients
 * have moved: then what is left is to take it down. Rows stay refused, and so does a database that is still to be moved.
 */
export async function withMovedOpen<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  if ((await readState(client, "source"))?.movedTo === undefined) return work();
  await client.query("SET default_transaction_read_only = off");
  await unblockDefinitions(client);
  try {
    return await work();
  } finally {
    await withTransaction(client, () => blockDefinitions(client));
  }
}

import type pg from "pg";
import { maybeRow, oneRow, rowsOf } from "../../postgres/rows.ts";

/** The schema that holds what a cutover must remember, on either side. It is never copied. */
export const stateSchema = "pgstack_cutover";

/** Which part a database plays. One that was a target may later be the source of another cutover. */
export type Side = "source" | "target" | "rollback";

/** A right to make objects in the database or in a schema of it. */
export interface CreationRight {
  /** As SQL names it: `SCHEMA public`. */
  readonly object: string;
  /** Null is PUBLIC. */
  readonly grantee: string | null;
  readonly grantor: string;
  /** Whether the object's owner has granted it. */
  readonly byOwner: boolean;
  readonly grantable: boolean;
}

/** The versions of what moves, by object: `table public.users` has one for its row and those of its columns, indexes and triggers. */
export type Fingerprint = Readonly<Record<string, string>>;

/** What the source remembers while it is frozen. */
export interface SourceState {
  /** The freeze's identifier, new at each freeze: a copy made under another one is not final. */
  readonly epoch: string;
  /** The stack that froze it; no other may unfreeze it or freeze it again. */
  readonly holder: string;
  readonly frozenAt: string;
  /** True once it was verified that every role is refused. */
  readonly proved: boolean;
  /** The database's own `default_transaction_read_only` before, or null where it had none. */
  readonly readOnlyBefore: string | null;
  /** Signatures of the functions that PUBLIC could execute before. */
  readonly revoked: readonly string[];
  /** Where no event trigger refuses DDL: who could create objects before. */
  readonly creation?: readonly CreationRight[];
  /** Where no event trigger refuses DDL: the versions of the definitions, which have to be the same when the switch is complete. */
  readonly fingerprint?: Fingerprint;
  /** Where its clients went when the cutover was completed: `system identifier/database`. */
  readonly movedTo?: string;
  /** The same as a person reads it: `database on host:port`. */
  readonly movedPlace?: string;
}

/** A comparison under the freeze that found no difference; the report of it is `verify`. */
export interface FrozenComparison {
  /** Of the freeze. */
  readonly epoch: string;
  /** When the target was read, as its server counts transactions. */
  readonly moment: string;
}

/** What was compared while the source was in use. */
export interface PreFreezeReport {
  readonly comparedAt: string;
  readonly tables: number;
  /** Rows of the source that were found to be the same on the target; those written meanwhile count again. */
  readonly rows: number;
  /** Each compared what had been written during the one before. */
  readonly rounds: number;
  readonly seconds: number;
}

/** What the target remembers: its presence says that this program filled the database, and may empty it. */
export interface TargetState {
  readonly phase: "filling" | "filled" | "verified" | "active" | "kept";
  /** `system identifier/database` of the source. */
  readonly source: string;
  /** The freeze under which it was copied; null for a rehearsal. */
  readonly epoch: string | null;
  /** True while it follows the source by replication. */
  readonly replicating?: boolean;
  /** The pre-freeze comparison; the rows that are to be compared again stand in the table `pending`. */
  readonly ahead?: PreFreezeReport | undefined;
  /** The comparison under the freeze, where the run that froze the source has made it. */
  readonly compared?: FrozenComparison | undefined;
  /** The run of the program that rehearsed, or copied under the freeze, or completed the switch. */
  readonly attempt?: string | undefined;
  /** Figures of the stages, for the record. */
  readonly report?: Readonly<Record<string, unknown>>;
}

/** What stands in the state's table, by its key. */
interface StateOf {
  readonly source: SourceState;
  readonly target: TargetState;
  readonly rollback: RollbackNote;
}

async function hasStateTable(client: pg.Client): Promise<boolean> {
  const { present } = await oneRow<{ present: boolean }>(
    client,
    `SELECT to_regclass('${stateSchema}.state') IS NOT NULL AS present`,
  );
  return present;
}

/** Reads a side's state; undefined where there is none. */
export async function readState<S extends Side>(client: pg.Client, side: S): Promise<StateOf[S] | undefined> {
  if (!(await hasStateTable(client))) return undefined;
  const row = await maybeRow<{ value: StateOf[S] }>(
    client,
    `SELECT value FROM ${stateSchema}.state WHERE side = $1`,
    [side],
  );
  return row?.value;
}

/** Reads a side's state, which nobody else can change until the caller's transaction ends. */
export async function lockState<S extends Side>(client: pg.Client, side: S): Promise<StateOf[S] | undefined> {
  if (!(await hasStateTable(client))) return undefined;
  await client.query(`SELECT FROM ${stateSchema}.state WHERE side = $1 FOR UPDATE`, [side]);
  return readState(client, side);
}

/** What a stage has reported to the target. */
export function reportOf<T>(state: TargetState, part: string): T {
  return state.report?.[part] as T;
}

/** Writes a side's state, in the caller's transaction. */
export async function writeState<S extends Side>(
  client: pg.Client,
  side: S,
  value: StateOf[S],
): Promise<void> {
  if (!(await hasStateTable(client)))
    await client.query(
      `CREATE SCHEMA IF NOT EXISTS ${stateSchema};
       CREATE TABLE ${stateSchema}.state (side text PRIMARY KEY, value jsonb NOT NULL)`,
    );
  await client.query(
    `INSERT INTO ${stateSchema}.state VALUES ($1, $2) ON CONFLICT (side) DO UPDATE SET value = excluded.value`,
    [side, JSON.stringify(value)],
  );
}

/** A cutover that was rolled back by itself. */
export interface RollbackNote {
  readonly at: string;
  readonly reason: string;
}

/** Remembers on the target why a cutover was rolled back by itself, for whoever asks; the next one replaces it. */
export async function noteRollback(client: pg.Client, reason: string): Promise<void> {
  await writeState(client, "rollback", { at: new Date().toISOString(), reason });
}

/** Forgets a side's state; the schema goes with the last one, unless replication still has a table in it. */
export async function clearState(client: pg.Client, side: Side): Promise<void> {
  if ((await readState(client, side)) === undefined) return;
  await client.query(`DELETE FROM ${stateSchema}.state WHERE side = $1`, [side]);
  await dropUnusedSchema(client);
}

/** Drops the schema where it holds nothing that is still needed. */
export async function dropUnusedSchema(client: pg.Client): Promise<void> {
  const tables = await rowsOf<{ name: string }>(
    client,
    `SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace('${stateSchema}') AND relkind = 'r'`,
  );
  if (tables.some(({ name }) => name !== "state")) return;
  if (tables.length > 0 && (await rowsOf(client, `SELECT FROM ${stateSchema}.state`)).length > 0) return;
  await client.query(`DROP SCHEMA IF EXISTS ${stateSchema} CASCADE`);
}

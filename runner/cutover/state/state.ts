import pg from "pg";
import { RefusedError, UserError } from "../../util/errors.ts";

export const identifier = pg.escapeIdentifier;
export const literal = pg.escapeLiteral;

/** The schema that holds what a cutover must remember, on either side. It is never copied. */
export const stateSchema = "pgstack_cutover";

/** Which part a database plays. One that was a target may later be the source of another cutover. */
export type Side = "source" | "target";

/** What the source remembers: held from the freeze to the thaw. */
export interface SourceState {
  /** New at each freeze: a copy made under another one is not final. */
  readonly epoch: string;
  /** The stack that froze it; no other may unfreeze it or freeze it again. */
  readonly holder: string;
  readonly frozenAt: string;
  /** True once its guards were proved to refuse every role. */
  readonly proved: boolean;
  /** The database's own `default_transaction_read_only` before, or null where it had none. */
  readonly readOnlyBefore: string | null;
  /** Signatures of the functions that PUBLIC could execute before. */
  readonly revoked: readonly string[];
  /** Where its clients went when the cutover was completed: `system identifier/database`. */
  readonly movedTo?: string;
}

/** A comparison that found no difference; the report of it is `verify`. */
export interface FrozenComparison {
  /** Of the freeze. */
  readonly epoch: string;
  /** When the target was read, as its server counts transactions. */
  readonly moment: string;
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
  /** What was compared ahead of the freeze; the rows that are to be compared again stand in `pending`. */
  readonly ahead?: PreFreezeReport | undefined;
  /** The comparison under the freeze, where the run that froze the source has made it. */
  readonly compared?: FrozenComparison | undefined;
  /** The run of the program that completed the switch. */
  readonly attempt?: string;
  /** Figures of the steps, for the record. */
  readonly report?: Readonly<Record<string, unknown>>;
}

/** One privilege of one role on one object. */
export interface Grant {
  /** As in pg_identify_object: `table`, `function`, …; `column` has the column's name in `column`. */
  readonly type: string;
  readonly identity: string;
  readonly column: string | null;
  /** Null is PUBLIC. */
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
}

interface StateOf {
  readonly source: SourceState;
  readonly target: TargetState;
}

/** Reads a side's state; undefined where there is none. */
export async function readState<S extends Side>(client: pg.Client, side: S): Promise<StateOf[S] | undefined> {
  const { rows } = await client.query("SELECT to_regclass($1) IS NOT NULL AS present", [
    `${stateSchema}.state`,
  ]);
  if (!rows[0].present) return undefined;
  const found = await client.query(`SELECT value FROM ${stateSchema}.state WHERE side = $1`, [side]);
  return found.rows[0]?.value;
}

/** What a step has reported to the target. */
export function reportOf<T>(state: TargetState, part: string): T {
  return state.report?.[part] as T;
}

/** Writes a side's state, in the caller's transaction. */
export async function writeState<S extends Side>(
  client: pg.Client,
  side: S,
  value: StateOf[S],
): Promise<void> {
  const { rows } = await client.query("SELECT to_regclass($1) IS NOT NULL AS present", [
    `${stateSchema}.state`,
  ]);
  if (!rows[0].present)
    await client.query(
      `CREATE SCHEMA IF NOT EXISTS ${stateSchema};
       CREATE TABLE ${stateSchema}.state (side text PRIMARY KEY, value jsonb NOT NULL)`,
    );
  await client.query(
    `INSERT INTO ${stateSchema}.state VALUES ($1, $2) ON CONFLICT (side) DO UPDATE SET value = excluded.value`,
    [side, JSON.stringify(value)],
  );
}

/** Changes what the target remembers. */
export async function updateTarget(client: pg.Client, changes: Partial<TargetState>): Promise<TargetState> {
  const state = await readState(client, "target");
  if (state === undefined)
    throw new RefusedError(`The target ${await identityOf(client)} has not been filled by a cutover`);
  const next = { ...state, ...changes, report: { ...state.report, ...changes.report } };
  await writeState(client, "target", next);
  return next;
}

/** Forgets a side's state; the schema goes with the last one, unless replication still has a table in it. */
export async function clearState(client: pg.Client, side: Side): Promise<void> {
  if ((await readState(client, side)) === undefined) return;
  await client.query(`DELETE FROM ${stateSchema}.state WHERE side = $1`, [side]);
  await dropUnusedSchema(client);
}

/** Drops the schema where it holds nothing that is still needed. */
export async function dropUnusedSchema(client: pg.Client): Promise<void> {
  const { rows } = await client.query(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace('${stateSchema}') AND relkind = 'r'`,
  );
  if (rows.some(({ name }) => name !== "state")) return;
  if (rows.length > 0 && (await client.query(`SELECT FROM ${stateSchema}.state`)).rowCount !== 0) return;
  await client.query(`DROP SCHEMA IF EXISTS ${stateSchema} CASCADE`);
}

/** Names a database the world over: its server's system identifier and its name. */
export async function identityOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query(
    "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || current_database() AS identity",
  );
  return rows[0].identity;
}

const lockKey = 7_231_842_001;

/**
 * Takes the right to change this database's part in a cutover, for as long as the connection lives. A killed run's
 * connection ends with it; a run whose engine was killed goes on, and is waited for.
 */
export async function holdCutoverLock(
  client: pg.Client,
  log: (line: string) => void = () => {},
): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt++) {
    const { rows } = await client.query("SELECT pg_try_advisory_lock($1) AS got", [lockKey]);
    if (rows[0].got) return;
    if (attempt % 50 === 10) log("waiting for another pgstack that is at work on this cutover");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new UserError("Another pgstack is at work on this cutover: wait for it to end, then run this again");
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

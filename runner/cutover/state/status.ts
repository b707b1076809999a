import type pg from "pg";
import { type ConnectionSettings, connectionFromEnvironment } from "../../postgres/connection.ts";
import { maybeRow } from "../../postgres/rows.ts";
import { UserError } from "../../util/errors.ts";
import { isSuperuser, type SideSettings, withAdmin } from "../connections.ts";
import { type RollbackNote, readState, type SourceState, type TargetState } from "./state.ts";

/** How far a replicating target is behind its source. */
export interface Lag {
  /** Written on the source and not yet confirmed by the target, in bytes of its log. */
  readonly bytesBehind: number;
  /** Log that the slots keep on the source, in bytes. */
  readonly slotBytes: number;
  readonly applying: boolean;
}

/** What the source says itself, as far as it can be asked. */
export interface SourceStatus {
  /** `database on host:port`. */
  readonly place: string;
  /** The freeze in force, whoever made it; null where the source is writable. */
  readonly frozen: SourceState | null;
  /** Why it cannot be asked; then nobody knows whether it is frozen. */
  readonly unreachable?: string;
}

/** The part that a database plays in cutovers at this moment. */
export interface CutoverStatus {
  readonly asTarget: TargetState | null;
  readonly asSource: SourceState | null;
  readonly lag: Lag | null;
  /** The database that a target is copied from; null where nobody said where it is. */
  readonly source: SourceStatus | null;
  /** Why the last cutover was rolled back by itself; null where none was. */
  readonly rolledBack: RollbackNote | null;
}

/** Reads what `conninfo` of replicate.ts writes: key='value' pairs with backslashes before quotes. */
function parseConninfo(text: string): ConnectionSettings {
  const pairs = [...text.matchAll(/(\w+)='((?:\\.|[^'\\])*)'/g)].map(([, key, value]) => [
    key,
    value?.replace(/\\(.)/g, "$1"),
  ]);
  const part = Object.fromEntries(pairs) as Record<string, string>;
  return connectionFromEnvironment({
    PGHOST: part.host,
    PGPORT: part.port,
    PGUSER: part.user,
    PGPASSWORD: part.password,
    PGDATABASE: part.dbname,
    PGSSLMODE: part.sslmode,
    PGSSLROOTCERT: part.sslrootcert,
  });
}

/** The way to the source stands in the subscription, where only superusers read it. */
async function readLag(client: pg.Client): Promise<Lag | null> {
  if (!(await isSuperuser(client))) return null;
  const found = await maybeRow<{ conninfo: string; slot: string }>(
    client,
    `SELECT subconninfo AS conninfo, subslotname AS slot FROM pg_subscription
     WHERE subname LIKE 'pgstack\\_%' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  if (found === undefined) return null;
  return withAdmin(parseConninfo(found.conninfo), async (source) => {
    const slot = await maybeRow<Lag>(
      source,
      `SELECT active AS applying, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::float8 AS "bytesBehind",
         (SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots
          WHERE slot_name IN ($1::text, $1::text || '_changes'))::float8 AS "slotBytes"
       FROM pg_replication_slots WHERE slot_name = $1::text`,
      [found.slot],
    );
    return slot ?? null;
  });
}

async function readSource(source: SideSettings): Promise<SourceStatus> {
  const place = `${source.database} on ${source.host}:${source.port}`;
  try {
    return { place, frozen: (await withAdmin(source, (client) => readState(client, "source"))) ?? null };
  } catch (error) {
    if (error instanceof UserError) return { place, frozen: null, unreachable: error.message };
    throw error;
  }
}

/**
 * Reads phase, freeze and lag; it changes nothing.
 * @param source where the database is that this one is copied from, as far as it is known
 */
export async function readStatus(database: SideSettings, source?: SideSettings): Promise<CutoverStatus> {
  const sourceStatus = source === undefined ? null : await readSource(source);
  return withAdmin(database, async (client) => ({
    asTarget: (await readState(client, "target")) ?? null,
    asSource: (await readState(client, "source")) ?? null,
    lag: await readLag(client),
    source: sourceStatus,
    rolledBack: (await readState(client, "rollback")) ?? null,
  }));
}

const frozenBy = ({ frozenAt, holder, movedTo }: SourceState) =>
  `read-only since ${frozenAt}, for the cutover of "${holder}"${movedTo === undefined ? "" : "; its clients have moved"}`;

function targetLines({ asTarget, rolledBack }: CutoverStatus): string[] {
  if (asTarget === null) return [];
  const { phase, replicating, ahead } = asTarget;
  return [
    `phase: ${phase}${replicating === true ? ", replicating" : ""}`,
    ...(ahead === undefined
      ? []
      : [
          `compared ahead of a freeze at ${ahead.comparedAt}: ${ahead.rows} rows; clients may not write here meanwhile`,
        ]),
    ...(rolledBack === null ? [] : [`rolled back at ${rolledBack.at}: ${rolledBack.reason}`]),
  ];
}

function sourceLines({ asTarget, source }: CutoverStatus): string[] {
  if (source === null)
    return asTarget === null
      ? []
      : ["source: not asked (--stack S knows where it is; or --url with the source's own URL)"];
  const { place, frozen, unreachable } = source;
  if (unreachable !== undefined)
    return [`source ${place}: nobody knows whether it is frozen: ${unreachable}`];
  return [`source ${place}: ${frozen === null ? "writable" : frozenBy(frozen)}`];
}

function lagLines({ lag }: CutoverStatus): string[] {
  if (lag === null) return [];
  const applying = lag.applying ? "applying" : "NOT applying";
  return [`lag: ${lag.bytesBehind} bytes; the slots keep ${lag.slotBytes} bytes of log; ${applying}`];
}

/** The status in words. */
export function statusLines(status: CutoverStatus): string[] {
  const { asSource } = status;
  const lines = [
    ...targetLines(status),
    ...(asSource === null ? [] : [frozenBy(asSource)]),
    ...sourceLines(status),
    ...lagLines(status),
  ];
  return lines.length === 0 ? ["no cutover has touched this database"] : lines;
}

import type pg from "pg";
import { type ConnectionSettings, connectionFromEnvironment } from "../../postgres/connection.ts";
import { withAdmin } from "../connections.ts";
import { readState, type SourceState, type TargetState } from "./state.ts";

/** How far a replicating target is behind its source. */
export interface Lag {
  /** Written on the source and not yet confirmed by the target, in bytes of its log. */
  readonly bytesBehind: number;
  /** Log that the slots keep on the source, in bytes. */
  readonly slotBytes: number;
  readonly applying: boolean;
}

/** The part that a database plays in cutovers at this moment. */
export interface CutoverStatus {
  readonly asTarget: TargetState | null;
  readonly asSource: SourceState | null;
  readonly lag: Lag | null;
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

async function readLag(client: pg.Client): Promise<Lag | null> {
  const { rows } = await client.query(
    `SELECT subconninfo AS conninfo, subslotname AS slot FROM pg_subscription
     WHERE subname LIKE 'pgstack\\_%' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  if (rows[0] === undefined) return null;
  return withAdmin(parseConninfo(rows[0].conninfo), async (source) => {
    const slot = await source.query(
      `SELECT active AS applying, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::float8 AS "bytesBehind",
         (SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots
          WHERE slot_name IN ($1::text, $1::text || '_changes'))::float8 AS "slotBytes"
       FROM pg_replication_slots WHERE slot_name = $1::text`,
      [rows[0].slot],
    );
    return slot.rows[0] ?? null;
  });
}

/** Reads phase, freeze and lag; it changes nothing. */
export async function readStatus(database: ConnectionSettings): Promise<CutoverStatus> {
  return withAdmin(database, async (client) => ({
    asTarget: (await readState(client, "target")) ?? null,
    asSource: (await readState(client, "source")) ?? null,
    lag: await readLag(client),
  }));
}

function comparison({ ahead }: TargetState): string[] {
  if (ahead === undefined) return [];
  return [
    `compared ahead of a freeze at ${ahead.comparedAt}: ${ahead.rows} rows; clients may not write here meanwhile`,
  ];
}

/** The status in words. */
export function statusLines({ asTarget, asSource, lag }: CutoverStatus): string[] {
  const target =
    asTarget === null
      ? []
      : [
          `phase: ${asTarget.phase}${asTarget.replicating === true ? ", replicating" : ""}`,
          ...comparison(asTarget),
        ];
  const source =
    asSource === null
      ? []
      : [
          `read-only since ${asSource.frozenAt}, for the cutover of "${asSource.holder}"${asSource.movedTo === undefined ? "" : "; its clients have moved"}`,
        ];
  const behind =
    lag === null
      ? []
      : [
          `lag: ${lag.bytesBehind} bytes; the slots keep ${lag.slotBytes} bytes of log; ${lag.applying ? "applying" : "NOT applying"}`,
        ];
  const lines = [...target, ...source, ...behind];
  return lines.length === 0 ? ["no cutover has touched this database"] : lines;
}

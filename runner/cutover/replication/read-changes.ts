import pg from "pg";
import type { CopyTable } from "../compare/catalog.ts";
import { ChangedRows } from "../compare/changed-rows.ts";
import { keyOfRow, type RowKey } from "../compare/row-keys.ts";
import { type HeartbeatMarker, heartbeatTable } from "./heartbeat.ts";
import { readMessage, type StreamMessage, type StreamTable } from "./pgoutput.ts";

/** What was committed since the place where a slot stands. */
export interface Changes {
  /** Cut at heartbeats: one part before each of them. */
  readonly parts: readonly ChangedRows[];
  /** Where the last heartbeat's transaction ends, as the server writes a position. */
  readonly end: string;
}

/** The tables of a database, and the keys of those that have one, by their name. */
export interface KeyedTables {
  readonly tables: readonly CopyTable[];
  readonly keys: ReadonlyMap<string, RowKey>;
}

const formatPosition = (position: bigint) =>
  `${(position >> 32n).toString(16)}/${(position & 0xffffffffn).toString(16)}`;

/** Gathers the keys of changed rows, message by message, until the transaction of the last heartbeat. */
class Gatherer {
  readonly parts = [new ChangedRows()];
  end: string | undefined;
  #names: ReadonlyMap<string, string>;
  #keys: ReadonlyMap<string, RowKey>;
  #markers: readonly HeartbeatMarker[];
  /** Whether the transaction that passes is a heartbeat's. */
  #atMarker = false;
  /** As the stream has introduced them, by number. */
  #introduced = new Map<number, StreamTable & { name: string | undefined }>();

  constructor({ tables, keys }: KeyedTables, beats: readonly HeartbeatMarker[]) {
    this.#names = new Map(
      [heartbeatTable, ...tables].map(({ schema, table, name }) => [JSON.stringify([schema, table]), name]),
    );
    this.#keys = keys;
    this.#markers = beats;
  }

  take(message: StreamMessage): void {
    if (this.end !== undefined) return;
    if (message.kind === "commit" && this.#atMarker) this.#cut(message.end);
    else if (message.kind === "relation") this.#introduce(message.id, message.table);
    else if (message.kind === "change") this.#change(message);
    else if (message.kind === "truncate") for (const id of message.ids) this.#changeAll(id);
  }

  get #changed(): ChangedRows {
    return this.parts.at(-1) as ChangedRows;
  }

  #cut(position: bigint): void {
    this.#atMarker = false;
    if (this.parts.length === this.#markers.length) this.end = formatPosition(position);
    else this.parts.push(new ChangedRows());
  }

  #introduce(id: number, table: StreamTable): void {
    const name = this.#names.get(JSON.stringify([table.schema, table.table]));
    this.#introduced.set(id, { ...table, name });
  }

  #changeAll(id: number): void {
    const name = this.#introduced.get(id)?.name;
    if (name !== undefined) this.#changed.add(name, "all");
  }

  #change({ id, row, old }: StreamMessage & { kind: "change" }): void {
    const table = this.#introduced.get(id);
    if (table?.name === undefined) return; // gone since: the comparison of definitions says so
    if (table.name === heartbeatTable.name) {
      const marker = row?.[table.columns.indexOf("beat")];
      this.#atMarker ||= marker === this.#markers[this.parts.length - 1];
      return;
    }
    const key = this.#keys.get(table.name);
    for (const one of [row, old]) {
      if (one === undefined) continue;
      const found = key && keyOfRow(key, table, one, old);
      if (found === undefined) this.#changed.add(table.name, "all");
      else this.#changed.addKey(table.name, found);
    }
  }
}

/**
 * Reads what a slot holds until the last of `beats`, without taking it out: after a kill it is read again. The messages
 * pass through memory one by one.
 */
export async function readChanges(
  source: pg.Client,
  slot: { readonly name: string; readonly publication: string },
  keyed: KeyedTables,
  beats: readonly HeartbeatMarker[],
): Promise<Changes> {
  const gatherer = new Gatherer(keyed, beats);
  const query = new pg.Query({
    text: `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)`,
    values: [slot.name, slot.publication],
  });
  query.on("row", (row) => gatherer.take(readMessage(row.data)));
  await new Promise((resolve, reject) => {
    query.on("end", resolve);
    query.on("error", reject);
    source.query(query);
  });
  const { parts, end } = gatherer;
  if (end === undefined) throw new Error(`The slot ${slot.name} does not hold the heartbeat ${beats.at(-1)}`);
  return { parts, end };
}

/** Lets a slot forget what was committed before a position. */
export async function advanceSlot(source: pg.Client, slot: string, to: string): Promise<void> {
  await source.query("SELECT pg_replication_slot_advance($1, $2)", [slot, to]);
}

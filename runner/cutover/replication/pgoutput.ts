/** A table as the stream of changes introduces it. */
export interface StreamTable {
  /** Of the namespace, empty for pg_catalog. */
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
}

/** A row's columns as text; null is NULL, undefined a large value that did not change and was not sent. */
export type StreamRow = readonly (string | null | undefined)[];

/** One message of the stream; what this program has no use for is `other`. */
export type StreamMessage =
  | { readonly kind: "commit"; readonly end: bigint }
  | { readonly kind: "relation"; readonly id: number; readonly table: StreamTable }
  /** What the row was before, where its key changed or all of it is sent, and what it is now. */
  | { readonly kind: "change"; readonly id: number; readonly old?: StreamRow; readonly row?: StreamRow }
  | { readonly kind: "truncate"; readonly ids: readonly number[] }
  | { readonly kind: "other" };

/** Reads the fields of a message one after the other. */
class Reader {
  #at = 0;
  #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#bytes.readUInt8(this.#at++);
  }
  int16(): number {
    this.#at += 2;
    return this.#bytes.readUInt16BE(this.#at - 2);
  }
  int32(): number {
    this.#at += 4;
    return this.#bytes.readUInt32BE(this.#at - 4);
  }
  int64(): bigint {
    this.#at += 8;
    return this.#bytes.readBigUInt64BE(this.#at - 8);
  }
  letter(): string {
    return String.fromCharCode(this.int8());
  }
  text(length: number): string {
    this.#at += length;
    return this.#bytes.toString("utf8", this.#at - length, this.#at);
  }
  name(): string {
    const text = this.text(this.#bytes.indexOf(0, this.#at) - this.#at);
    this.#at++;
    return text;
  }
  list<T>(count: number, one: () => T): T[] {
    return Array.from({ length: count }, one);
  }
}

function readRow(reader: Reader): StreamRow {
  return reader.list(reader.int16(), () => {
    const kind = reader.letter();
    if (kind === "n") return null;
    return kind === "u" ? undefined : reader.text(reader.int32());
  });
}

function readRelation(reader: Reader): StreamMessage {
  const id = reader.int32();
  const [schema, table] = [reader.name(), reader.name()];
  reader.letter(); // its replica identity
  const columns = reader.list(reader.int16(), () => {
    reader.int8(); // flags
    const name = reader.name();
    reader.int64(); // type and its modifier
    return name;
  });
  return { kind: "relation", id, table: { schema, table, columns } };
}

/** K (a key) and O (a whole row) lead what was before, N what is now; only an update may hold both. */
function readChange(reader: Reader, update: boolean): StreamMessage {
  const id = reader.int32();
  if (reader.letter() === "N") return { kind: "change", id, row: readRow(reader) };
  const old = readRow(reader);
  if (!update) return { kind: "change", id, old };
  reader.letter();
  return { kind: "change", id, old, row: readRow(reader) };
}

function readTruncate(reader: Reader): StreamMessage {
  const count = reader.int32();
  reader.int8(); // options
  return { kind: "truncate", ids: reader.list(count, () => reader.int32()) };
}

/**
 * Reads a message of pgoutput, protocol version 1:
 * https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export function readMessage(bytes: Buffer): StreamMessage {
  const reader = new Reader(bytes);
  switch (reader.letter()) {
    case "C":
      reader.int8(); // flags
      reader.int64(); // LSN of the commit
      return { kind: "commit", end: reader.int64() };
    case "R":
      return readRelation(reader);
    case "I":
    case "D":
      return readChange(reader, false);
    case "U":
      return readChange(reader, true);
    case "T":
      return readTruncate(reader);
    default:
      return { kind: "other" };
  }
}

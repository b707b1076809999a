import type { Socket } from "node:net";
import type pg from "pg";
import { CopyIn, CopyQuery, type Wire } from "../copy-in.ts";

/** The first byte of a message of the wire protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const message = { copyData: 0x64, copyDone: 0x63, error: 0x45 };
const headerBytes = 5;

type Chunk = (bytes: Buffer) => void;

/** Cuts a stream of messages in two: runs of CopyData as they are, and every other message whole. */
class CopySplitter {
  #left = 0;
  #carry: Buffer = Buffer.alloc(0);
  #data: Chunk;
  #other: Chunk;
  /** True once CopyDone or an error has passed: what follows belongs to the ordinary reader. */
  ended = false;

  constructor(data: Chunk, other: Chunk) {
    this.#data = data;
    this.#other = other;
  }

  push(chunk: Buffer): void {
    const bytes = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    this.#carry = Buffer.alloc(0);
    let at = Math.min(this.#left, bytes.length);
    this.#left -= at;
    let dataFrom = 0;
    while (at + headerBytes <= bytes.length && !this.ended) {
      const size = 1 + bytes.readUInt32BE(at + 1);
      if (bytes[at] === message.copyData) {
        this.#left = Math.max(0, at + size - bytes.length);
        at = Math.min(at + size, bytes.length);
        continue;
      }
      if (dataFrom < at) this.#data(bytes.subarray(dataFrom, at));
      dataFrom = at;
      if (at + size > bytes.length) break;
      this.ended = bytes[at] === message.copyDone || bytes[at] === message.error;
      this.#other(bytes.subarray(at, at + size));
      at += size;
      dataFrom = at;
    }
    if (dataFrom < at) this.#data(bytes.subarray(dataFrom, at));
    if (this.ended && at < bytes.length) this.#other(bytes.subarray(at));
    else if (!this.ended && this.#left === 0 && at < bytes.length) this.#carry = bytes.subarray(at);
  }
}

/** COPY … TO STDOUT, whose CopyData messages go to `data` unread. */
class CopyOut extends CopyQuery {
  /** Bytes of rows, without the protocol's own. */
  bytes = 0;
  #data: (bytes: Buffer, source: Socket) => void;

  constructor(text: string, data: (bytes: Buffer, source: Socket) => void) {
    super(text);
    this.#data = data;
  }

  submit(connection: pg.Connection): void {
    const wire = connection as unknown as Wire;
    const readers = wire.stream.listeners("data") as Chunk[];
    const read: Chunk = (bytes) => {
      for (const reader of readers) reader(bytes);
    };
    const splitter = new CopySplitter((bytes) => {
      this.bytes += bytes.length;
      this.#data(bytes, wire.stream);
    }, read);
    const take = (chunk: Buffer) => {
      splitter.push(chunk);
      if (!splitter.ended || !wire.stream.listeners("data").includes(take)) return;
      wire.stream.removeListener("data", take);
      for (const reader of readers) wire.stream.on("data", reader);
    };
    wire.stream.removeAllListeners("data");
    wire.stream.on("data", take);
    wire.query(this.text);
  }
}

/** Passes bytes on to a COPY; the source rests while the target has enough. */
function pour({ wire }: CopyIn, bytes: Buffer, source: Socket): void {
  const target = wire?.stream;
  if (target === undefined || target.write(bytes)) return;
  source.pause();
  target.once("drain", () => source.resume());
}

/** What passed between two servers. */
export interface Copied {
  readonly rows: number;
  readonly bytes: number;
}

/**
 * Streams `copyOut` (COPY … TO STDOUT) on one server into `copyIn` (COPY … FROM STDIN) on another, in the same
 * format. CopyData has the same form in both directions, so that the bytes are passed on as they come; a row
 * costs this process nothing but the walk over its header. A failure leaves both connections unusable.
 */
export async function relayCopy(
  source: pg.Client,
  copyOut: string,
  target: pg.Client,
  copyIn: string,
): Promise<Copied> {
  const incoming = new CopyIn(copyIn, () => source.query(outgoing as unknown as pg.Submittable));
  const outgoing = new CopyOut(copyOut, (bytes, from) => pour(incoming, bytes, from));
  try {
    target.query(incoming as unknown as pg.Submittable);
    await Promise.race([outgoing.done, incoming.done]);
    await outgoing.done;
    incoming.wire?.endCopyFrom();
    await incoming.done;
    return { bytes: outgoing.bytes, rows: incoming.rows };
  } catch (error) {
    for (const { connection } of [source, target] as unknown as { connection: Wire }[])
      connection.stream.destroy();
    throw error;
  }
}

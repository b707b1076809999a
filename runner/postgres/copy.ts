import type { Socket } from "node:net";
import type pg from "pg";
import { type Wire, wireOf } from "./session/wire.ts";

/** The part of a pg query object that the client calls; see `Submittable` in its types. */
export abstract class CopyQuery {
  readonly done: Promise<void>;
  readonly text: string;
  rows = 0;
  protected settle!: { resolve: () => void; reject: (error: Error) => void };
  protected error: Error | undefined;

  constructor(text: string) {
    this.text = text;
    this.done = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.done.catch(() => {});
  }

  abstract submit(connection: pg.Connection): void;
  handleError(error: Error): void {
    this.error = error;
    this.settle.reject(error);
  }
  handleCommandComplete({ text }: { text: string }): void {
    this.rows = Number(text.replace("COPY ", ""));
  }
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleReadyForQuery(): void {
    if (this.error === undefined) this.settle.resolve();
  }
}

/** COPY … FROM STDIN, into which raw CopyData messages are poured once `start` is called. */
export class CopyIn extends CopyQuery {
  wire: Wire | undefined;
  #start: () => void;

  constructor(text: string, start: () => void) {
    super(text);
    this.#start = start;
  }

  submit(connection: pg.Connection): void {
    this.wire = wireOf(connection);
    this.wire.query(this.text);
  }

  handleCopyInResponse(): void {
    this.#start();
  }
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html */
const copyData = 0x64;
const messageBytes = 1 << 24; // a server takes less than 1 GB in a message

/** Sends rows as CopyData; resolves when the server has taken enough for more. */
async function sendRows({ stream }: Wire, rows: Buffer): Promise<void> {
  for (let at = 0; at < rows.length; at += messageBytes) {
    const data = rows.subarray(at, at + messageBytes);
    const header = Buffer.alloc(5, copyData);
    header.writeUInt32BE(data.length + 4, 1);
    stream.cork();
    stream.write(header);
    const more = stream.write(data);
    stream.uncork();
    if (!more) await new Promise((resolve) => stream.once("drain", resolve));
  }
}

/** Rejects with the signal's reason when it is aborted. */
function whenAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return promise;
}

/**
 * Runs COPY … FROM STDIN with rows that `pieces` gives, each piece of whole rows; several sessions may share them. An
 * aborted one throws at once, and its session is of no further use.
 */
export async function copyInto(
  client: pg.Client,
  statement: string,
  pieces: AsyncGenerator<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const started = Promise.withResolvers<void>();
  const copy = new CopyIn(statement, started.resolve);
  client.query(copy as unknown as pg.Submittable);
  const over = Promise.race([copy.done, whenAborted(signal)]);
  over.catch(() => {});
  await Promise.race([started.promise, over]);
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next())
    await Promise.race([sendRows(copy.wire as Wire, next.value), over]);
  copy.wire?.endCopyFrom();
  await over;
}

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
    const wire = wireOf(connection);
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
    for (const client of [source, target]) wireOf(client).stream.destroy();
    throw error;
  }
}

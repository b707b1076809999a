import type { Socket } from "node:net";
import type pg from "pg";

/** What the connection of a pg client offers beyond its types. */
export interface Wire {
  readonly stream: Socket;
  query(text: string): void;
  endCopyFrom(): void;
}

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
    this.wire = connection as unknown as Wire;
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

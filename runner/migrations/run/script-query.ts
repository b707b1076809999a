import type pg from "pg";

/** What the connection of `pg` offers a query, of which its types say nothing. */
interface Wire {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  sendCopyFail(reason: string): void;
  endCopyFrom(): void;
}

const copyChunk = 1 << 16;

/**
 * A script of several statements in one message. Unlike `client.query` it counts the statements that were done, feeds
 * the rows of a `COPY … FROM stdin`, and keeps no rows that come back.
 */
class ScriptQuery {
  /** Statements done so far. */
  completed = 0;
  private written = false;
  private readonly text: string;
  private readonly copyData: string | undefined;
  private readonly done: (error: Error | undefined) => void;

  constructor(text: string, copyData: string | undefined, done: (error: Error | undefined) => void) {
    this.text = text;
    this.copyData = copyData;
    this.done = done;
  }

  submit(wire: Wire): void {
    if (!this.written) this.write(wire);
  }
  write(wire: Wire): void {
    this.written = true;
    wire.query(this.text);
  }
  handleCopyInResponse(wire: Wire): void {
    if (this.copyData === undefined) {
      wire.sendCopyFail("no rows follow this COPY");
      return;
    }
    const bytes = Buffer.from(this.copyData);
    for (let at = 0; at < bytes.length; at += copyChunk)
      wire.sendCopyFromChunk(bytes.subarray(at, at + copyChunk));
    wire.endCopyFrom();
  }
  handleCommandComplete(): void {
    this.completed++;
  }
  handleReadyForQuery(): void {
    this.done(undefined);
  }
  handleError(error: Error): void {
    this.done(error);
  }
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}
}

/** How a script ended: `completed` statements were done before `error`. */
export interface ScriptResult {
  readonly completed: number;
  readonly error?: Error;
}

function send(
  client: pg.Client,
  text: string,
  copyData: string | undefined,
  ahead: boolean,
): Promise<ScriptResult> {
  return new Promise((resolve) => {
    const query = new ScriptQuery(text, copyData, (error) =>
      resolve(error === undefined ? { completed: query.completed } : { completed: query.completed, error }),
    );
    client.query(query as unknown as pg.Submittable);
    if (ahead) query.submit((client as unknown as { connection: Wire }).connection);
  });
}

/** Sends a script; resolves once the server is ready again. Never rejects: a failure is part of the result. */
export function sendScript(client: pg.Client, text: string, copyData?: string): Promise<ScriptResult> {
  return send(client, text, copyData, false);
}

/**
 * As `sendScript`, but at once, while the server is still at work on what was sent before. That must be a script that was
 * sent by one of these two, and has no rows of COPY.
 */
export function sendAhead(client: pg.Client, text: string): Promise<ScriptResult> {
  return send(client, text, undefined, true);
}

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
 * the rows of a `COPY … FROM stdin`, and keeps no row that comes back but the last.
 */
class ScriptQuery {
  /** Statements done so far. */
  completed = 0;
  /** The last row that came back, as text. */
  lastRow: readonly (string | null)[] = [];
  private readonly text: string;
  private readonly copyData: string | undefined;
  private readonly done: (error: Error | undefined) => void;

  constructor(text: string, copyData: string | undefined, done: (error: Error | undefined) => void) {
    this.text = text;
    this.copyData = copyData;
    this.done = done;
  }

  submit(wire: Wire): void {
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
  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    this.lastRow = fields;
  }
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}
}

/** How a script ended: `completed` statements were done before `error`. */
export interface ScriptResult {
  readonly completed: number;
  /** The last row that came back, as text; empty where none did. */
  readonly lastRow: readonly (string | null)[];
  readonly error?: Error;
}

/** Sends a script; resolves once the server is ready again. Never rejects: a failure is part of the result. */
export function sendScript(client: pg.Client, text: string, copyData?: string): Promise<ScriptResult> {
  return new Promise((resolve) => {
    const query = new ScriptQuery(text, copyData, (error) => {
      const { completed, lastRow } = query;
      resolve(error === undefined ? { completed, lastRow } : { completed, lastRow, error });
    });
    client.query(query as unknown as pg.Submittable);
  });
}

import type pg from "pg";
import { type ConnectionSettings, openClient } from "../../runner/postgres/connection.ts";

/** How a writer writes. */
export interface WriterOptions {
  readonly settings: ConnectionSettings;
  /** Marks its rows. */
  readonly name: string;
  /** Asks for READ WRITE, in several statements, rather than by one INSERT. */
  readonly explicit?: boolean;
  /** Milliseconds between writes; default none. */
  readonly pause?: number;
  /** Ends its session after each write. */
  readonly brief?: boolean;
  /** Milliseconds from the beginning of a write to that of the next, on average. */
  readonly every?: number;
}

/** A client that writes rows to the table `acknowledged (writer, n)` as fast as it can until it is stopped. */
export interface Writer extends AsyncDisposable {
  /** Numbers whose commit the server acknowledged, with the time of it. */
  readonly acknowledged: Map<number, number>;
  /** Refusals and lost connections, by message. */
  readonly failures: Map<string, number>;
  readonly stop: () => Promise<void>;
}

async function writeOnce(client: pg.Client, options: WriterOptions, n: number): Promise<void> {
  const insert = `INSERT INTO acknowledged (writer, n) VALUES ('${options.name}', ${n})`;
  if (options.explicit !== true) {
    await client.query(insert);
    return;
  }
  await client.query("BEGIN READ WRITE");
  await client.query(insert);
  await client.query("COMMIT");
}

/** A refusal leaves the session as it was, so that a client continues in it; anything else ends it. */
async function sessionAfter(client: pg.Client | undefined, error: unknown): Promise<pg.Client | undefined> {
  const refused = (error as { severity?: string }).severity === "ERROR";
  const whole = refused && (await client?.query("ROLLBACK").catch(() => undefined)) !== undefined;
  if (whole) return client;
  await client?.end().catch(() => {});
  return undefined;
}

/** Starts a writer; it connects again whenever it must, and never writes a number twice. */
export function startWriter(options: WriterOptions): Writer {
  const acknowledged = new Map<number, number>();
  const failures = new Map<string, number>();
  let running = true;
  const fail = async (error: unknown) => {
    const { message } = error as Error;
    failures.set(message, (failures.get(message) ?? 0) + 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const write = async () => {
    let client: pg.Client | undefined;
    let due = Date.now();
    for (let n = 1; running; n++) {
      try {
        due += options.every ?? 0;
        if (options.every !== undefined && due > Date.now())
          await new Promise((resolve) => setTimeout(resolve, due - Date.now()));
        client ??= await openClient(options.settings);
        await writeOnce(client, options, n);
        acknowledged.set(n, Date.now());
        if (options.brief === true) client = await client.end().then(() => undefined);
        if (options.pause !== undefined) await new Promise((resolve) => setTimeout(resolve, options.pause));
      } catch (error) {
        client = await sessionAfter(client, error);
        await fail(error);
      }
    }
    await client?.end();
  };
  const writing = write();
  const stop = async () => {
    running = false;
    await writing;
  };
  return { acknowledged, failures, stop, [Symbol.asyncDispose]: stop };
}

/** Numbers that the server has acknowledged to the writer, which may continue meanwhile, and that the database does not hold. */
export async function missingWrites(client: pg.Client, name: string, writer: Writer): Promise<number[]> {
  const acknowledged = [...writer.acknowledged.keys()];
  const { rows } = await client.query("SELECT n FROM acknowledged WHERE writer = $1", [name]);
  const present = new Set(rows.map((row) => row.n as number));
  return acknowledged.filter((n) => !present.has(n));
}

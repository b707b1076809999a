import type pg from "pg";
import { UserError } from "../../util/errors.ts";

/** What a `.ts` migration exports under `up` or `down`. */
type Direction = string | ((client: pg.Client) => Promise<unknown> | unknown);

async function load(text: string, direction: "up" | "down"): Promise<Direction> {
  const url = `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`;
  const exported = ((await import(url)) as Record<string, Direction | undefined>)[direction];
  if (typeof exported === "string" || typeof exported === "function") return exported;
  throw new UserError(
    `expected "${direction}" to be a string of SQL or a function of a client, found ${typeof exported}`,
  );
}

/** The client of one migration: it keeps every query, so that one that nobody awaits counts all the same, until the migration ends. */
class MigrationClient {
  readonly #queries: Promise<unknown>[] = [];
  readonly #client: pg.Client;
  #ended = false;

  constructor(client: pg.Client) {
    this.#client = client;
  }

  /** What the migration is given. */
  get lent(): pg.Client {
    return new Proxy(this.#client, {
      get: (target, key) => {
        if (key === "query") return (...args: unknown[]) => this.#query(args);
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #query(args: unknown[]): unknown {
    if (this.#ended)
      throw new Error("a query was asked for when its migration had ended: await all that it does");
    const result = Reflect.apply(this.#client.query, this.#client, args) as unknown;
    if (!(result instanceof Promise)) return result;
    result.catch(() => {}); // it counts in `settle`, where the migration does not await it
    this.#queries.push(result);
    return result;
  }

  /** Waits for every query, those too that another one asks for meanwhile. Throws what the first that failed throws. */
  async settle(): Promise<void> {
    for (const query of this.#queries) await query;
  }

  /** Takes no query any more: it would run in the transaction of another migration. */
  end(): void {
    this.#ended = true;
  }
}

/** Something that a migration threw when it had ended. */
export class StrayError extends UserError {
  constructor(name: string, cause: Error) {
    super(
      `Migration ${name}, which is done, threw afterwards: ${cause.message}\n` +
        "Await all that a migration starts. It stays applied; nothing more was run.",
      { cause },
    );
    this.name = "StrayError";
  }
}

const events = ["uncaughtException", "unhandledRejection"] as const;

/**
 * What is thrown where nobody can catch it, in a timer or in a promise that nobody awaits, ends Node with a dump. From the first
 * module of a run to the run's end such an error is a migration's: it fails the one that runs, and, where that has ended, the run.
 */
export class StrayErrors implements Disposable {
  #last = "";
  #fail: ((error: Error) => void) | undefined;
  #late: Error | undefined;
  #listening = false;
  readonly #caught = (thrown: unknown) => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (this.#fail === undefined) this.#late ??= error;
    else this.#fail(error);
  };

  /** Runs a module's work. Throws what it throws, and what it lets stray. */
  async during<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    if (!this.#listening) for (const event of events) process.on(event, this.#caught);
    this.#listening = true;
    this.#last = name;
    this.#fail = reject;
    try {
      const result = await Promise.race([work(), promise]);
      const turn = new Promise<void>((resolve) => setImmediate(resolve)); // what was thrown in this turn is still its own
      await Promise.race([turn, promise]);
      return result;
    } finally {
      this.#fail = undefined;
    }
  }

  /** Throws StrayError where something strayed from a migration that had ended. */
  check(): void {
    if (this.#late !== undefined) throw new StrayError(this.#last, this.#late);
  }

  [Symbol.dispose](): void {
    for (const event of events) process.off(event, this.#caught);
  }
}

/**
 * Loads a migration's module from its text and runs one direction: a string is returned, to be run as a script; a
 * function is called with the client and has done its work, and all that it asked of the client, when this resolves.
 */
export async function runModule(
  client: pg.Client,
  text: string,
  direction: "up" | "down",
): Promise<string | undefined> {
  const exported = await load(text, direction);
  if (typeof exported === "string") return exported;
  const own = new MigrationClient(client);
  try {
    await exported(own.lent);
    await own.settle();
  } finally {
    own.end();
  }
  return undefined;
}

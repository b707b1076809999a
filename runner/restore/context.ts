import type { Prepared } from "./preflight/prepare.ts";
import type { RestoreRequest, RunControl } from "./request.ts";
import type { FreshDatabase } from "./swap/fresh-database.ts";
import type { Preserved } from "./swap/preserved.ts";

/** Measures the parts of a restore, in seconds by name. */
export class RestoreClock {
  /** Milliseconds of the start. */
  readonly began = Date.now();
  readonly parts: Record<string, number> = {};
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Runs a part of the work and keeps its seconds. Throws the signal's reason where the run is to end. */
  async time<T>(part: string, work: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted();
    const start = Date.now();
    const result = await work();
    this.parts[part] = (Date.now() - start) / 1000;
    return result;
  }
}

/** All that one restore goes by, once its dump has been read and the database beside the target exists. */
export interface RestoreContext extends RunControl {
  readonly request: RestoreRequest;
  readonly prepared: Prepared;
  readonly clock: RestoreClock;
  /** What belongs to the target rather than to its content. */
  readonly preserved: Preserved;
  /** The database that is loaded and takes the target's name. */
  readonly fresh: FreshDatabase;
  /** What people should know of the result; it grows as the work continues. */
  readonly notes: string[];
  /** Called with `schema.name` as the rows of a table begin. */
  readonly onTable: (name: string) => void;
}

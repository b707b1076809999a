import type pg from "pg";
import { advisoryKey, tryAdvisoryLock } from "../../postgres/advisory-lock.ts";
import { oneRow } from "../../postgres/rows.ts";
import { backendOf, close, openAdmin, type SideSettings } from "../connections.ts";
import { lockDefinitions } from "./fingerprint.ts";

/** Held by the session that holds the locks, once it has them. */
const key = advisoryKey("pgstack cutover definitions");

/**
 * Refuses changes of definitions where no event trigger can: one session holds a lock on every table until the switch is
 * complete or rolled back, and another one cancels whoever waits for it, since reads would queue up behind.
 */
export class DefinitionLock implements AsyncDisposable {
  readonly #source: SideSettings;
  #holder: pg.Client | undefined;
  #guard: pg.Client | undefined;

  constructor(source: SideSettings) {
    this.#source = source;
  }

  /** Takes the locks where they are not held. Throws where a table is being changed. */
  async hold(): Promise<void> {
    if (this.#holder !== undefined) return this.#cancelWaiting();
    const holder = await openAdmin(this.#source);
    try {
      await holder.query("BEGIN");
      await lockDefinitions(holder);
      await tryAdvisoryLock(holder, key);
      this.#guard = await openAdmin(this.#source);
    } catch (error) {
      await close(holder);
      throw error;
    }
    holder.once("end", () => {
      this.#holder = undefined; // a rollback, or a freeze that is repeated, has ended it
    });
    this.#holder = holder;
  }

  /** Cancels statements that wait for the locks, but for those of our own stages, which end the holder. */
  async #cancelWaiting(): Promise<void> {
    await this.#guard?.query(
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
       WHERE $1 = ANY (pg_blocking_pids(pid)) AND NOT (usename = current_user AND application_name = 'pgstack')
         AND (current_setting('is_superuser') = 'on' OR usename NOT IN (SELECT rolname FROM pg_roles WHERE rolsuper))`,
      [backendOf(this.#holder as pg.Client)],
    );
  }

  /** Gives the locks back. */
  async release(): Promise<void> {
    for (const client of [this.#holder, this.#guard]) if (client !== undefined) await close(client);
    this.#holder = this.#guard = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/** Whether a session holds the locks. */
export async function definitionsAreHeld(client: pg.Client): Promise<boolean> {
  const [high, low] = [BigInt.asUintN(32, key >> 32n), BigInt.asUintN(32, key)];
  const { held } = await oneRow<{ held: boolean }>(
    client,
    `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = ${high} AND objid = ${low}
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS held`,
  );
  return held;
}

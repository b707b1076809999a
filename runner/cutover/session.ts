import type pg from "pg";
import { RefusedError } from "../util/errors.ts";
import { close, identityOf, openAdmin } from "./connections.ts";
import { freezeLeft } from "./freeze/budget.ts";
import { freezeInForce } from "./freeze/freeze.ts";
import { holdCutoverLock } from "./lock.ts";
import type { CutoverSettings } from "./settings.ts";
import { readState, type SourceState, type TargetState, writeState } from "./state/state.ts";

/** Where a stage says how far it is. */
export type Log = (line: string) => void;

/** When the source is opened: always, or only as long as the switch is not complete (the old server may be gone after it). */
export type SourceUse = "always" | "until the switch";

/**
 * Both databases of a cutover for one stage: opened once, under the target's lock, so that one run at a time changes it.
 * What the target remembers is read once, and written through in the transaction of the change.
 */
export class CutoverSession implements AsyncDisposable {
  readonly settings: CutoverSettings;
  readonly log: Log;
  readonly target: pg.Client;
  #frozen: SourceState | undefined;
  #source: pg.Client | undefined;
  /** Only a switch has to keep to the budget of its freeze: a rehearsal or a rollback ends one that may be old. */
  #limits = true;
  #state: TargetState | undefined;

  private constructor(settings: CutoverSettings, log: Log, target: pg.Client) {
    this.settings = settings;
    this.log = log;
    this.target = target;
  }

  /** Opens both sides and waits for the lock. Throws UserError where a side cannot be reached or the lock is not given up. */
  static async open(
    settings: CutoverSettings,
    log: Log,
    use: SourceUse = "until the switch",
  ): Promise<CutoverSession> {
    const session = new CutoverSession(settings, log, await openAdmin(settings.target));
    try {
      await holdCutoverLock(session.target, log);
      session.#state = await readState(session.target, "target");
      session.#limits = use === "until the switch";
      if (use === "always" || !session.completed) await session.#openSource();
      return session;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #openSource(): Promise<void> {
    this.#source = await openAdmin(this.settings.source);
    await this.readFreeze();
  }

  /** Looks again whether a freeze of this stack is in force. Under one, no statement may take longer than what is left of it. */
  async readFreeze(): Promise<SourceState | undefined> {
    this.#frozen = await freezeInForce(this.source, this.settings.stack);
    for (const client of [this.source, this.target])
      await client.query(`SET statement_timeout = ${this.#statementTimeout}`);
    return this.#frozen;
  }

  /** The freeze of this stack that is in force on the source. */
  get frozen(): SourceState | undefined {
    return this.#frozen;
  }

  /** Milliseconds; 0 is no limit. */
  get #statementTimeout(): number {
    const left =
      this.#frozen === undefined || !this.#limits
        ? Number.POSITIVE_INFINITY
        : freezeLeft(this.settings, this.#frozen);
    return left === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.ceil(left));
  }

  /** The settings for further sessions: under a freeze their statements have the same limit. */
  get limited(): CutoverSettings {
    const { source, target } = this.settings;
    const statementTimeout = this.#statementTimeout;
    return {
      ...this.settings,
      source: { ...source, statementTimeout },
      target: { ...target, statementTimeout },
    };
  }

  /** Work that follows a completed switch has no limit. */
  async liftLimits(): Promise<void> {
    await this.target.query("SET statement_timeout = 0");
  }

  /** The source's session. Not there once the switch is complete, unless it was asked for. */
  get source(): pg.Client {
    if (this.#source === undefined) throw new Error("the source is not opened after a completed switch");
    return this.#source;
  }

  /** Whether clients have been sent to the target: from then on no stage changes either side. */
  get completed(): boolean {
    return this.#state?.phase === "active";
  }

  /** What the target remembers; undefined where nothing was copied into it. */
  get state(): TargetState | undefined {
    return this.#state;
  }

  /** What the target remembers, where a copy was made before. Throws RefusedError where none was. */
  async filledState(): Promise<TargetState> {
    if (this.#state !== undefined) return this.#state;
    throw new RefusedError(
      `Expected a target that a cutover has filled, found none in ${await identityOf(this.target)}. ` +
        "Rehearse or switch again: the source is copied first.",
    );
  }

  /** Replaces what the target remembers, in the caller's transaction. */
  async replaceState(state: TargetState): Promise<void> {
    await writeState(this.target, "target", state);
    this.#state = state;
  }

  /** Changes what the target remembers, in the caller's transaction; reports of other stages stay. */
  async changeState(changes: Partial<TargetState>): Promise<TargetState> {
    const state = await this.filledState();
    const next = { ...state, ...changes, report: { ...state.report, ...changes.report } };
    await this.replaceState(next);
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of [this.#source, this.target]) if (client !== undefined) await close(client);
  }
}

import { randomUUID } from "node:crypto";
import { type Segment, segmentsOf } from "../files/script.ts";
import { beginning, ending, type Job, type Run } from "./job.ts";
import { checkResult, messageOf } from "./script.ts";
import { type ScriptResult, sendAhead } from "./script-query.ts";

/** The script of a job that fits into one message, and holds no rows that the server would ask for. */
function onlySegment({ language, script }: Job): Segment | undefined {
  const [segment, ...more] = segmentsOf(script);
  const fits = language === "sql" && script.options.transaction && more.length === 0;
  return fits && segment?.copyData === undefined ? segment : undefined;
}

interface Sent {
  readonly result: Promise<ScriptResult>;
  /** The one whose transaction is begun at the end of this one's message, and the mark of that transaction. */
  readonly next: Next | undefined;
}

interface Next {
  readonly job: Job;
  readonly segment: Segment;
  readonly marker: string;
}

/**
 * Sends each migration while the server is at work on the one before it, so that neither waits for the other. A migration's
 * transaction is begun at the end of the message of the one before: whatever fails there fails all that was sent
 * after it, and where a transaction failed as late as its COMMIT, the mark is missing that the next one's guard looks for.
 */
export class Pipeline {
  readonly #run: Run;
  readonly #next: (job: Job) => Job | undefined;
  readonly #sent = new Map<Job, Sent>();
  #stopped = false;

  /** @param next the job behind one, which is read while the server is at work */
  constructor(run: Run, next: (job: Job) => Job | undefined) {
    this.#run = run;
    this.#next = next;
  }

  /** Runs a job and sends the one behind it; false, and nothing done, for one that has to be run by itself. Throws as `runScript`. */
  async perform(job: Job): Promise<boolean> {
    const segment = onlySegment(job);
    if (this.#stopped || segment === undefined) return false;
    const { next, result } = this.#sent.get(job) ?? (await this.#begin(job, segment));
    this.#sent.delete(job);
    if (next !== undefined) this.#send(next);
    checkResult(job.script, segment, [], await result);
    return true;
  }

  /** After a failure what was sent ahead fails as well, and the rest is run by itself. Resolves once that has come back. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { result } of this.#sent.values()) await result;
  }

  async #begin(job: Job, segment: Segment): Promise<Sent> {
    const marker = randomUUID();
    await this.#run.session.client.query(beginning(this.#run, job, marker).join("; "));
    return this.#send({ job, segment, marker });
  }

  #after(job: Job): Next | undefined {
    const next = this.#next(job);
    const segment = next && onlySegment(next);
    return segment && { job: next, segment, marker: randomUUID() };
  }

  #send({ job, segment, marker }: Next): Sent {
    const next = this.#after(job);
    const begin = next === undefined ? [] : beginning(this.#run, next.job, next.marker);
    const after = [...ending(this.#run, job, marker, "statement"), ...begin];
    const text = messageOf(job.script, segment, { before: [], after });
    const sent = { next, result: sendAhead(this.#run.session.client, text) };
    this.#sent.set(job, sent);
    return sent;
  }
}

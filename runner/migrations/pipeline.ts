import { randomUUID } from "node:crypto";
import { beginning, ending, type Job, type Run } from "./run-migration.ts";
import { checkResult, messageOf } from "./run-script.ts";
import { segmentsOf } from "./script.ts";
import { type ScriptResult, sendAhead } from "./script-query.ts";

/** Fits into one message, and holds no rows that the server would ask for. */
function fits({ language, script }: Job): boolean {
  const segments = segmentsOf(script);
  return (
    language === "sql" &&
    script.options.transaction &&
    segments.length === 1 &&
    segments[0]?.copyData === undefined
  );
}

interface Sent {
  readonly after: readonly string[];
  readonly result: Promise<ScriptResult>;
  /** The one whose transaction is begun at the end of this one's message, and the mark of that transaction. */
  readonly next: Next | undefined;
}

interface Next {
  readonly job: Job;
  readonly marker: string;
}

/**
 * Sends each migration while the server is at work on the one before it, so that neither waits for the other. A migration's
 * transaction is begun at the end of the message of the one before: whatever fails there fails all that was sent
 * after it, and where a transaction failed as late as its COMMIT, the mark is missing that the next one's guard looks for.
 */
export class Pipeline {
  readonly #run: Run;
  readonly #next: ReadonlyMap<Job, Job>;
  readonly #sent = new Map<Job, Sent>();
  #stopped = false;

  constructor(run: Run, jobs: readonly Job[]) {
    this.#run = run;
    this.#next = new Map(jobs.slice(0, -1).map((job, index) => [job, jobs[index + 1] as Job]));
  }

  /** Runs a job and sends the one behind it; false, and nothing done, for one that has to be run by itself. Throws as `runScript`. */
  async perform(job: Job): Promise<boolean> {
    if (this.#stopped || !fits(job)) return false;
    const { next, after, result } = this.#sent.get(job) ?? (await this.#begin(job));
    this.#sent.delete(job);
    if (next !== undefined) this.#send(next);
    const [segment] = segmentsOf(job.script);
    if (segment !== undefined) checkResult(job.script, segment, { before: [], after }, await result);
    return true;
  }

  /** After a failure what was sent ahead fails as well, and the rest is run by itself. Resolves once that has come back. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { result } of this.#sent.values()) await result;
  }

  async #begin(job: Job): Promise<Sent> {
    const marker = randomUUID();
    await this.#run.session.client.query(beginning(this.#run, job, marker).join("; "));
    return this.#send({ job, marker });
  }

  #send({ job, marker }: Next): Sent {
    const { client } = this.#run.session;
    const following = this.#next.get(job);
    const next = following && fits(following) ? { job: following, marker: randomUUID() } : undefined;
    const begin = next === undefined ? [] : beginning(this.#run, next.job, next.marker);
    const after = [...ending(this.#run, job, marker, "statement"), ...begin];
    const [segment] = segmentsOf(job.script);
    const text = segment === undefined ? "" : messageOf(job.script, segment, { before: [], after });
    const sent = { next, after, result: sendAhead(client, text) };
    this.#sent.set(job, sent);
    return sent;
  }
}

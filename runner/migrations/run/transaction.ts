import { randomUUID } from "node:crypto";
import type pg from "pg";
import { RefusedError, UserError } from "../../util/errors.ts";
import { readScript } from "../files/script.ts";
import { MigrationFailure } from "./failure.ts";
import { beginning, ending, type Job, type Run } from "./job.ts";
import type { Pipeline } from "./pipeline.ts";
import { retryingLocks } from "./retry.ts";
import { type Frame, runScript, StatementError } from "./script.ts";

const brokenGuards = {
  "pgstack: transaction":
    "The script ended the transaction that it ran in (COMMIT or ROLLBACK); what it committed is kept and is not recorded. " +
    "Take that statement out, or use transaction=off.",
  "pgstack: lock":
    "The session no longer holds the lock of the migrations. Either the script gave it up (pg_advisory_unlock_all, DISCARD ALL), " +
    "or a transaction pooler stands between here and the server: connect to the server itself.",
};

function explainGuard(error: Error): Error {
  const broken = Object.entries(brokenGuards).find(([sign]) => error.message.includes(sign));
  return broken === undefined ? error : new UserError(broken[1], { cause: error });
}

/** With a round trip for each part of the frame most migrations would take twice as long. */
async function perform(run: Run, job: Job): Promise<void> {
  const { client } = run.session;
  const marker = randomUUID();
  const frame: Frame = {
    before: beginning(run, job, marker),
    after: ending(run, job, marker, "transaction"),
  };
  if (job.language === "sql") return runScript(client, job.script, frame);
  await client.query(frame.before.join("; "));
  const sql = await callDirection(job.section, job.direction, client);
  if (sql !== undefined) await runScript(client, readScript(sql, job.origin));
  await client.query(frame.after.join("; "));
}

async function attempt(run: Run, job: Job, pipeline: Pipeline | undefined): Promise<void> {
  const { client, resetSql } = run.session;
  try {
    if ((await pipeline?.perform(job)) !== true) await perform(run, job);
  } catch (error) {
    await pipeline?.stop();
    await client.query("ROLLBACK").catch(() => {});
    await client.query(resetSql).catch(() => {});
    throw explainGuard(error as Error);
  }
}

/** Runs one direction of a migration and its record in one transaction: both are there afterwards, or neither. */
export async function runInTransaction(run: Run, job: Job, pipeline?: Pipeline): Promise<void> {
  const lockTimeout = job.script.options.lockTimeout ?? run.settings.lockTimeout;
  await retryingLocks(run.session, lockTimeout, run.log, () => attempt(run, job, pipeline));
}

/** Brings PostgreSQL's parser with it, which only `transaction=off` scripts need. */
export const loadStepwise = () => import("./statement-by-statement.ts");

/** Runs a job in the way that its script asks for. Throws MigrationFailure. */
export async function runJob(
  run: Run,
  job: Job,
  after: () => string,
  stepwise: () => Promise<void>,
  pipeline?: Pipeline,
): Promise<void> {
  const { transaction } = job.script.options;
  try {
    if (transaction) await runInTransaction(run, job, pipeline);
    else await stepwise();
  } catch (error) {
    if (error instanceof RefusedError) throw error;
    const failed = error instanceof StatementError ? error : undefined;
    const place = failed?.place ?? { where: job.origin.label };
    throw new MigrationFailure(
      { name: job.name, direction: job.direction, ...place },
      failed?.cause ?? (error as Error),
      transaction ? after() : `Its statements before that one are done, and stay. ${after()}`,
    );
  }
}

/** What a `.ts` migration exports under `up` or `down`. */
type Direction = string | ((client: pg.Client) => Promise<unknown> | unknown);

/**
 * Loads a migration's module from its text and takes one direction: a string is returned, to be run as a script; a
 * function is called with the client and has done its work when this resolves.
 */
export async function callDirection(
  text: string,
  direction: "up" | "down",
  client: pg.Client,
): Promise<string | undefined> {
  const url = `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`;
  const exported = ((await import(url)) as Record<string, Direction | undefined>)[direction];
  if (typeof exported === "string") return exported;
  if (typeof exported !== "function")
    throw new UserError(
      `expected "${direction}" to be a string of SQL or a function of a client, found ${typeof exported}`,
    );
  await exported(client);
  return undefined;
}

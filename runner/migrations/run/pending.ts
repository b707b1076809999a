import { createRequire, Module } from "node:module";
import type { Umzug } from "umzug";
import type { MigrationFile } from "../files/types.ts";
import { type History, insertSql, timeSince } from "../history/history.ts";
import { type Job, jobOf, type Run } from "./job.ts";
import { Pipeline } from "./pipeline.ts";
import { loadStepwise, runJob } from "./transaction.ts";

function upJob(run: Run, file: MigrationFile): Job {
  return jobOf({
    name: file.name,
    language: file.language,
    direction: "up",
    section: file.up,
    origin: { label: file.file, firstLine: file.upLine },
    record: (began) => insertSql(run.table, file, { duration: timeSince(began) }),
  });
}

function standingNow(applied: number, head: string | undefined, left: number): string {
  const done = head === undefined ? "Nothing is applied" : `Applied now: ${applied}, head ${head}`;
  return `${done}; still to apply: ${left}. The next run goes on from here.`;
}

/** Runs what is pending, in order, each with its record. Throws RefusedError, MigrationFailure. */
export async function applyPending(
  run: Run,
  pending: readonly MigrationFile[],
  before: History,
): Promise<void> {
  const done = before.rows.filter(({ statementsDone }) => statementsDone === null).map(({ name }) => name);
  const doneBefore = done.length;
  const jobs: Job[] = [];
  const jobAt = (index: number) => (jobs[index] ??= upJob(run, pending[index] as MigrationFile));
  const pipeline = new Pipeline(run, (job) => {
    const index = jobs.lastIndexOf(job) + 1;
    return index < pending.length ? jobAt(index) : undefined;
  });
  const { loadUmzug } = await import("./pending.ts"); // most runs find nothing to do
  const umzug = new (loadUmzug())({
    migrations: pending.map((file, index) => ({
      name: file.name,
      up: async () => {
        const left = pending.length + doneBefore - done.length;
        const after = () => standingNow(done.length, done.at(-1), left);
        const job = jobAt(index);
        const stepwise = async () => (await loadStepwise()).runStepwise(run, job, file);
        await runJob(run, job, after, stepwise, pipeline);
        done.push(file.name);
        run.log(`applied ${file.name} (${done.length - doneBefore}/${pending.length})`);
      },
    })),
    storage: { executed: async () => [], logMigration: async () => {}, unlogMigration: async () => {} }, // the row is written in the migration's transaction
    context: {},
    logger: undefined,
  });
  await umzug.up().catch((error: Error) => {
    throw error.cause ?? error; // Umzug wraps what a migration throws
  });
}

const require = createRequire(import.meta.url);

/** Loads Umzug without its command line: nobody calls that here, and it takes longer to load than all else together. */
export function loadUmzug(): typeof Umzug {
  const commandLine = require.resolve("umzug/lib/cli.js");
  require.cache[commandLine] ??= Object.assign(new Module(commandLine), { loaded: true });
  return (require("umzug/lib/umzug.js") as { Umzug: typeof Umzug }).Umzug;
}

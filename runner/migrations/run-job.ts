import { RefusedError } from "../user-error.ts";
import { MigrationFailure } from "./failure.ts";
import type { Pipeline } from "./pipeline.ts";
import { type Job, type Run, runInTransaction } from "./run-migration.ts";
import { StatementError } from "./run-script.ts";

/** Brings PostgreSQL's parser with it, which only `transaction=off` scripts need. */
export const loadStepwise = () => import("./stepwise.ts");

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

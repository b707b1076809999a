import {
  MigrationError,
  type MigrationParams,
  RerunBehavior,
  type RunnableMigration,
  Umzug,
  type UmzugStorage,
} from "umzug";
import { rowsOf } from "../../postgres/rows.ts";
import { RefusedError } from "../../util/errors.ts";
import type { MigrationFile } from "../files/types.ts";
import { completeSql, deleteSql, insertSql, readApplied, sinceBegin } from "../history/history.ts";
import { explainFailure } from "./failure.ts";
import { downJob, type Job, type Run, upJob } from "./job.ts";
import { runJob } from "./transaction.ts";

/**
 * Umzug's storage over the history table. A migration leaves its transaction open; its history row is written, or deleted, in
 * that transaction, which is committed here: script and row are both there afterwards, or neither.
 */
class HistoryStorage implements UmzugStorage<Run> {
  readonly #jobs: ReadonlyMap<string, Job>;

  constructor(jobs: ReadonlyMap<string, Job>) {
    this.#jobs = jobs;
  }

  /** What is applied to its end, in the order of application. */
  async executed({ context: { session, table } }: Pick<MigrationParams<Run>, "context">): Promise<string[]> {
    const sql = `SELECT name FROM ${table.sql} WHERE statements_done IS NULL ORDER BY position`;
    return (await rowsOf<{ name: string }>(session.client, sql)).map(({ name }) => name);
  }

  async logMigration({ name, context }: MigrationParams<Run>): Promise<void> {
    const job = this.#jobs.get(name);
    if (job === undefined) throw new Error(`Umzug records ${name}, which has not run.`);
    const { migration, script } = job;
    const statement = script.options.transaction
      ? insertSql(context.table, migration, { duration: sinceBegin })
      : completeSql(context.table, name);
    await commit(context, statement, { name, context, direction: "up" });
  }

  async unlogMigration({ name, context }: MigrationParams<Run>): Promise<void> {
    await commit(context, deleteSql(context.table, name), { name, context, direction: "down" });
  }
}

/** Ends the transaction that a migration has left open. Throws what Umzug throws where a migration fails. */
async function commit(
  { session: { client, resetSql } }: Run,
  statement: string,
  migration: ConstructorParameters<typeof MigrationError>[0],
): Promise<void> {
  try {
    await client.query(`${resetSql}; ${statement}; COMMIT`);
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    await client.query(resetSql).catch(() => {});
    throw new MigrationError(migration, error);
  }
}

/** Names of the history, in the order of application: those that are applied to their end, then those that stopped on their way. */
async function recordedNames({ session, table }: Run): Promise<{ whole: string[]; partial: string[] }> {
  const sql = `SELECT name, statements_done IS NULL AS whole FROM ${table.sql} ORDER BY position`;
  const rows = await rowsOf<{ name: string; whole: boolean }>(session.client, sql);
  const namesOf = (wanted: boolean) => rows.filter(({ whole }) => whole === wanted).map(({ name }) => name);
  return { whole: namesOf(true), partial: namesOf(false) };
}

function runnable(
  name: string,
  file: MigrationFile | undefined,
  jobs: Map<string, Job>,
): RunnableMigration<Run> {
  const start = (run: Run, job: Job) => {
    jobs.set(name, job);
    return runJob(run, job);
  };
  return {
    name,
    ...(file && { path: file.file }),
    up: async ({ context }) => {
      if (file === undefined)
        throw new RefusedError(`Migration ${name} has no file: it can be reverted, and not applied.`);
      await start(context, upJob(file));
    },
    down: async ({ context }) => {
      const applied = await readApplied(context.session.client, context.table, name);
      if (applied !== undefined) await start(context, downJob(applied));
    },
  };
}

/** Umzug over one database. */
interface Migrator {
  readonly umzug: Umzug<Run>;
  /** What has begun, by name. */
  readonly jobs: ReadonlyMap<string, Job>;
}

/**
 * Makes Umzug for a run that holds the lock. It knows every migration of the history, in the order of application, and behind
 * them the files that are not applied, in the order of revisions. A down migration is the history's, never a file's.
 */
function createMigrator(run: Run, files: readonly MigrationFile[]): Migrator {
  const jobs = new Map<string, Job>();
  const byName = new Map(files.map((file) => [file.name, file]));
  const umzug = new Umzug<Run>({
    migrations: async (context) => {
      const { whole, partial } = await recordedNames(context);
      const names = new Set([...whole, ...byName.keys(), ...partial]);
      return [...names].map((name) => runnable(name, byName.get(name), jobs));
    },
    storage: new HistoryStorage(jobs),
    context: run,
    logger: undefined, // progress is told by Umzug's events
  });
  return { umzug, jobs };
}

/** Umzug wraps what a migration throws, and says which one it was. */
function explain(error: unknown, run: Run, { jobs }: Migrator, after: string): unknown {
  if (!(error instanceof MigrationError)) return error;
  return explainFailure(error, run, jobs.get(error.migration.name), after);
}

function describeApplied(applied: number, head: string | undefined, left: number): string {
  const done = head === undefined ? "Nothing is applied" : `Applied now: ${applied}, head ${head}`;
  return `${done}; still to apply: ${left}. The next run continues from here.`;
}

/**
 * Applies, in order, each of `files` that is not applied, each with its history row.
 * @param files in the order of revisions
 * Throws RefusedError, MigrationFailure.
 */
export async function applyPending(run: Run, files: readonly MigrationFile[]): Promise<void> {
  const migrator = createMigrator(run, files);
  const { umzug } = migrator;
  const done = (await umzug.executed()).map(({ name }) => name);
  const [before, { length: pending }] = [done.length, await umzug.pending()];
  umzug.on("migrated", ({ name }) => {
    done.push(name);
    run.log(`applied ${name} (${done.length - before}/${pending})`);
  });
  await umzug.up().catch((error: unknown) => {
    const left = pending - (done.length - before);
    throw explain(error, run, migrator, describeApplied(done.length, done.at(-1), left));
  });
  run.strays.check();
}

/**
 * Reverts migrations of the history by the down migrations that it holds. One that stopped while it was applied, and so counts as not
 * executed, is reverted like the others.
 * @param names in the order in which to revert them
 * @param after what a failure says of what is left, given how many are reverted
 * Throws RefusedError, MigrationFailure.
 */
export async function revertApplied(
  run: Run,
  names: readonly string[],
  after: (reverted: number) => string,
): Promise<void> {
  const migrator = createMigrator(run, []);
  let reverted = 0;
  migrator.umzug.on("reverted", ({ name }) => {
    reverted++;
    run.log(`reverted ${name}`);
  });
  await migrator.umzug
    .down({ migrations: [...names], rerun: RerunBehavior.ALLOW })
    .catch((error: unknown) => {
      throw explain(error, run, migrator, after(reverted));
    });
  run.strays.check();
}

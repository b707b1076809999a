import pg from "pg";
import { RefusedError, UserError } from "../../util/errors.ts";
import type { Migration } from "../files/types.ts";
import { historyTable, readApplied, readHistory } from "../history/history.ts";
import { withMigrationLock } from "../history/lock.ts";
import type { MigrationSettings } from "../settings.ts";
import { type Job, jobOf, type Run } from "./job.ts";
import { type Access, passwordRefused, withSession } from "./session.ts";
import { loadStepwise, runJob } from "./transaction.ts";

/** What to take back, and how. */
export interface RevertRequest {
  readonly access: Access;
  readonly settings: Pick<MigrationSettings, "table" | "lockTimeout" | "statementTimeout">;
  readonly log: (line: string) => void;
}

function downJob(run: Run, { name, language }: Migration, down: string): Job {
  return jobOf({
    name,
    language,
    direction: "down",
    section: down,
    origin: { label: `${name}, down script as recorded`, firstLine: 1 },
    record: () => `DELETE FROM ${run.table.sql} WHERE name = ${pg.escapeLiteral(name)}`,
  });
}

/** Throws RefusedError. */
export function refuseIrreversible(name: string): never {
  throw new RefusedError(
    `Migration ${name} is irreversible: it has no down script. Go forward with a new migration, or restore a dump.`,
  );
}

async function revertOne(run: Run, applied: Migration, left: () => string): Promise<void> {
  if (applied.down === null) refuseIrreversible(applied.name);
  const job = downJob(run, applied, applied.down);
  await runJob(run, job, left, async () => (await loadStepwise()).runStepwiseDown(run, job));
  run.log(`reverted ${applied.name}`);
}

async function withRun<T>(
  { access, settings, log }: RevertRequest,
  use: (run: Run) => Promise<T>,
): Promise<T> {
  const table = historyTable(settings.table);
  return withSession(access, (session) =>
    withMigrationLock(session.client, table, log, () => use({ session, table, settings, log })),
  );
}

/** What leaves a stack is given the passwords of the update before: the present ones never reach it. */
function explainPasswords(name: string, error: unknown): unknown {
  if (!passwordRefused(error)) return error;
  return new UserError(
    `${(error as Error).message}\nMigration ${name} stays applied. The passwords of the owner and of the administrator were both changed ` +
      "since the last update, which this one goes by where it takes a migration back. Leave the migration in the stack (its file, " +
      "migrations.to), run ./pgstack up, which renews them, then take it out again.",
    { cause: error },
  );
}

/**
 * Takes one migration back by the down script that the database holds, or, where it holds none, does nothing: it is
 * reverted already. One that is folded into the baseline stays.
 */
export async function revertMigration(
  request: RevertRequest,
  name: string,
): Promise<"reverted" | "absent" | "folded"> {
  return withRun(request, async (run) => {
    const { client } = run.session;
    const { exists } = await readHistory(client, run.table);
    const applied = exists ? await readApplied(client, run.table, name) : undefined;
    if (applied === undefined) return "absent";
    if (applied.baseline) return "folded";
    await revertOne(run, applied, () => "Nothing of it is reverted; the migration stays applied.");
    return "reverted" as const;
  }).catch((error) => {
    throw explainPasswords(name, error);
  });
}

/**
 * Takes back, newest application first, every migration that `choose` names out of those applied.
 * All of them must be reversible, which is looked at first.
 */
export async function revertMigrations(
  request: RevertRequest,
  choose: (applied: readonly string[]) => readonly string[],
): Promise<string[]> {
  return withRun(request, async (run) => {
    const { rows } = await readHistory(run.session.client, run.table);
    const names = [...choose(rows.map(({ name }) => name))];
    const irreversible = rows.find(({ name, downSum }) => names.includes(name) && downSum === null);
    if (irreversible !== undefined) refuseIrreversible(irreversible.name);
    for (const [index, name] of names.entries()) {
      const applied = await readApplied(run.session.client, run.table, name);
      const left = () =>
        `Reverted before it: ${index}; ${name} and ${rows.length - index - 1} before it stay applied.`;
      if (applied !== undefined) await revertOne(run, applied, left);
    }
    return names;
  });
}

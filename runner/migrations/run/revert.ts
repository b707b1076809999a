import type { MigrationSettings } from "../../config/migrations.ts";
import { UserError } from "../../util/errors.ts";
import { refuseIrreversible } from "../files/types.ts";
import { historyTable, readApplied, readHistory } from "../history/history.ts";
import { withMigrationLock } from "../history/lock.ts";
import type { Run } from "./job.ts";
import { StrayErrors } from "./module.ts";
import { type Access, passwordRefused, withSession } from "./session.ts";

/** What to revert, and how. */
export interface RevertRequest {
  readonly access: Access;
  readonly settings: Pick<MigrationSettings, "table" | "lockTimeout" | "statementTimeout">;
  readonly log: (line: string) => void;
}

async function withRun<T>(
  { access, settings, log }: RevertRequest,
  use: (run: Run) => Promise<T>,
): Promise<T> {
  const table = historyTable(settings.table);
  return withSession(access, async (session) => {
    using strays = new StrayErrors();
    const run: Run = { session, table, settings, strays, log };
    return await withMigrationLock(session.client, table, log, () => use(run));
  });
}

/** What leaves a stack is given the passwords of the update before: the present ones never reach it. */
function explainPasswords(name: string, error: unknown): unknown {
  if (!passwordRefused(error)) return error;
  return new UserError(
    `${(error as Error).message}\nMigration ${name} stays applied. The passwords of the owner and of the administrator were both changed ` +
      "since the last update, which this one goes by where it reverts a migration. Leave the migration in the stack (its file, " +
      "migrations.to), run ./pgstack up, which renews them, then take it out again.",
    { cause: error },
  );
}

/**
 * Reverts one migration by the down migration that the database holds, or, where it holds none, does nothing: it is
 * reverted already. One that is part of the baseline stays.
 */
export async function revertMigration(
  request: RevertRequest,
  name: string,
): Promise<"reverted" | "absent" | "in baseline"> {
  return withRun(request, async (run) => {
    const { client } = run.session;
    const { exists } = await readHistory(client, run.table);
    const applied = exists ? await readApplied(client, run.table, name) : undefined;
    if (applied === undefined) return "absent";
    if (applied.baseline) return "in baseline";
    const { revertApplied } = await import("./umzug.ts");
    await revertApplied(run, [name], () => "Nothing of it is reverted; the migration stays applied.");
    return "reverted";
  }).catch((error) => {
    throw explainPasswords(name, error);
  });
}

/**
 * Reverts, newest application first, every migration that `choose` names out of those applied.
 * All of them must be reversible, which is looked at first.
 */
export async function revertMigrations(
  request: RevertRequest,
  choose: (applied: readonly string[]) => readonly string[],
): Promise<readonly string[]> {
  return withRun(request, async (run) => {
    const { rows } = await readHistory(run.session.client, run.table);
    const names = choose(rows.map(({ name }) => name));
    const irreversible = rows.find(({ name, downSum }) => names.includes(name) && downSum === null);
    if (irreversible !== undefined) refuseIrreversible(irreversible.name);
    if (names.length === 0) return names;
    const { revertApplied } = await import("./umzug.ts");
    await revertApplied(run, names, (reverted) => {
      const left = rows.length - reverted - 1;
      return `Reverted before it: ${reverted}; ${names[reverted]} and ${left} before it stay applied.`;
    });
    return names;
  });
}

import { isMissingDatabase } from "../postgres/connection.ts";
import { accessOf, filesOf, migrationFlags, settingsOf } from "../migrations/cli-options.ts";
import type { MigrationFile } from "../migrations/files/types.ts";
import { refuseIrreversible } from "../migrations/run/revert.ts";
import { resolveTarget } from "../migrations/plan/order.ts";
import type { MigrationSettings } from "../migrations/settings.ts";
import { readStatus, type StatusRow } from "../migrations/status.ts";
import { keptFiles } from "../migrations/plan/target-revision.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";
import type { Call, Verb } from "../cli/command.ts";

/** How the migrations stand; in a database that is gone none is applied, and the update that follows makes it again. */
async function standingsOf(
  call: Call,
  files: readonly MigrationFile[],
  settings: MigrationSettings,
): Promise<readonly StatusRow[]> {
  try {
    return (await readStatus(accessOf(call), files, settings)).migrations;
  } catch (error) {
    if (!isMissingDatabase(error)) throw error;
    return files.map(({ name }) => ({ name, state: "pending" }));
  }
}

/** What the update would stop at is refused while the stack's configuration is as it was. Throws RefusedError. */
function refuseImpossible(
  target: string,
  files: readonly MigrationFile[],
  applied: readonly StatusRow[],
  settings: MigrationSettings,
): void {
  const kept = new Set(
    keptFiles(files, { rows: applied }, { ...settings, to: target }).map(({ name }) => name),
  );
  const leaving = new Set(applied.map(({ name }) => name).filter((name) => !kept.has(name)));
  const irreversible = files.find(({ name, down }) => leaving.has(name) && down === null);
  if (irreversible !== undefined) refuseIrreversible(irreversible.name);
}

/** What the entry script puts into a stack's `migrations.to` for `upgrade` and `downgrade`. */
const migrationsTarget: Verb = {
  summary: "the value of migrations.to that REV means on a stack at present",
  usage: "migrations-target (up|down) REV --stack S",
  flags: migrationFlags,
  run: async (call) => {
    const [direction, to = "latest"] = call.words;
    const settings = { ...settingsOf(call), to: "latest" };
    const files = await filesOf(settings);
    const migrations = await standingsOf(call, files, settings);
    const known = new Set(files.map(({ name }) => name));
    const applied = migrations.filter(({ name, appliedAt }) => appliedAt !== undefined && known.has(name));
    const sequence = direction === "down" ? applied : migrations.filter(({ name }) => known.has(name));
    const names = sequence.map(({ name }) => name);
    const kept = resolveTarget(to, names, applied.length);
    if (direction === "up" && kept < applied.length)
      throw new RefusedError(`"${to}" is behind what is applied: use ./pgstack downgrade.`);
    const target = direction === "up" && kept === names.length ? "latest" : (names[kept - 1] ?? "0");
    refuseImpossible(target, files, applied, settings);
    call.print(target);
    return ExitCode.done;
  },
};

export default migrationsTarget;

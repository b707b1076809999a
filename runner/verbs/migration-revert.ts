import type { MigrationRecord } from "../migrations/history/history.ts";
import { revertMigration } from "../migrations/run/revert.ts";
import { accessFromEnvironment } from "../migrations/run/session.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

const outcomes = {
  reverted: (name: string) => `${name} is reverted`,
  absent: (name: string) => `${name} is not applied: nothing to revert`,
  folded: (name: string) => `${name} is part of the baseline now: it stays`,
};

const migrationRevert: Verb = {
  summary: "takes one migration back, as its record leaves the stack; does nothing where it is not applied",
  usage: "migration-revert < RECORD",
  flags: {},
  run: async ({ stdin, env, log }) => {
    const { name, settings } = JSON.parse(await stdin()) as MigrationRecord;
    log(outcomes[await revertMigration({ access: accessFromEnvironment(env), settings, log }, name)](name));
    return ExitCode.done;
  },
};

export default migrationRevert;

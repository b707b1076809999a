import { type Command, previousOutput, queryCommand } from "../../cli/command.ts";
import { connectionFromEnvironment } from "../../postgres/connection.ts";
import { withInterrupt } from "../../postgres/run-program.ts";
import { ensureRestore, parseRestoreSettings } from "../../restore/ensure.ts";
import { checkRestore, type RestoreCheckRequest } from "../../restore/preview.ts";
import type { RestoreReport } from "../../restore/report.ts";
import { ExitCode } from "../../util/errors.ts";

const restoreEnsure: Command = {
  summary: "fills the database from a dump, once for each dump; prints the report",
  usage: "restore-ensure < SETTINGS",
  flags: {},
  run: async (call) => {
    const settings = parseRestoreSettings(await call.stdin());
    const target = connectionFromEnvironment(call.env);
    const previous = previousOutput<RestoreReport>(call.env);
    const report = await withInterrupt((signal) =>
      ensureRestore(target, settings, previous, { output: call, signal }),
    );
    for (const name of report.leftOut) call.log(`left out: ${name}`);
    for (const note of report.notes) call.log(`note: ${note}`);
    for (const name of report.incomplete) call.log(`warning: not restored: ${name}`);
    call.print(JSON.stringify(report));
    return ExitCode.done;
  },
};

const restoreCheck = queryCommand<RestoreCheckRequest>(
  "restore-check",
  "what a preview should know of a restore to come, as JSON; null where there is none",
  (request, environment) =>
    checkRestore(
      environment.PGHOST === undefined ? undefined : connectionFromEnvironment(environment),
      request,
    ),
);

/** By the name that a resource calls it by. */
export const commands = { "restore-ensure": restoreEnsure, "restore-check": restoreCheck } satisfies Record<
  string,
  Command
>;

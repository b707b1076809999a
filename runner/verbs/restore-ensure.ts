import { connectionFromEnvironment } from "../postgres/connection.ts";
import { withInterrupt } from "../postgres/run-program.ts";
import { previousOutput, type Verb } from "../cli/command.ts";
import { ensureRestore, parseRestoreSettings } from "../restore/ensure.ts";
import type { RestoreReport } from "../restore/report.ts";
import { ExitCode } from "../util/errors.ts";

const restoreEnsure: Verb = {
  summary: "fills the database from a dump, once for each dump; prints the report",
  usage: "restore-ensure < SETTINGS",
  flags: {},
  run: async (call) => {
    const settings = parseRestoreSettings(await call.stdin());
    const target = connectionFromEnvironment(call.env);
    const previous = previousOutput<RestoreReport>(call.env);
    const report = await withInterrupt((signal) => ensureRestore(target, settings, previous, call, signal));
    for (const name of report.leftOut) call.log(`left out: ${name}`);
    for (const note of report.notes) call.log(`note: ${note}`);
    for (const name of report.incomplete) call.log(`warning: not restored: ${name}`);
    call.print(JSON.stringify(report));
    return ExitCode.done;
  },
};

export default restoreEnsure;

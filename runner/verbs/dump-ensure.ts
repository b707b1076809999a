import { connectionFromEnvironment } from "../postgres/connection.ts";
import { type DumpSummary, ensureDump, parseDumpSettings } from "../dump/ensure.ts";
import { withInterrupt } from "../postgres/run-program.ts";
import { previousOutput, type Verb } from "../cli/command.ts";
import { ExitCode } from "../util/errors.ts";

const dumpEnsure: Verb = {
  summary: "makes the dump with a label where there is none; prints its report",
  usage: "dump-ensure < SETTINGS",
  flags: {},
  run: async (call) => {
    const settings = parseDumpSettings(await call.stdin());
    const source = connectionFromEnvironment(call.env);
    const previous = previousOutput<DumpSummary>(call.env);
    const report = await withInterrupt((signal) => ensureDump(source, settings, previous, call, signal));
    for (const name of report.leftOut) call.log(`left out: ${name}`);
    call.print(JSON.stringify(report));
    return ExitCode.done;
  },
};

export default dumpEnsure;

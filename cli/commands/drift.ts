import { readDrift } from "../../runner/plan/drift.ts";
import { renderDrift } from "../../runner/plan/render/render.ts";
import { ExitCode } from "../../runner/util/errors.ts";
import type { StackCommand } from "../command.ts";
import { withDriftInput } from "../stack/plan-input.ts";
import { readReportCall, reportFlags, reportUsage, subjectOf, writeReport } from "./report.ts";

const described = {
  summary:
    "what on the server is not as it was declared: schema, rights, settings, indexes, extensions; exit code 3 for some",
  usage: `drift [STACK] ${reportUsage}`,
  flags: reportFlags,
};

const drift: StackCommand = {
  ...described,
  run: async (args, surroundings) => {
    const call = readReportCall(described, args);
    const { log } = surroundings;
    const report = await withDriftInput(subjectOf(call, surroundings), (input) => readDrift(input, log));
    writeReport(call, surroundings, (coloured) => renderDrift(report, call.format, coloured));
    return report.drift.length === 0 ? ExitCode.done : ExitCode.differs;
  },
};

export default drift;

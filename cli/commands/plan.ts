import { makePlan } from "../../runner/plan/plan.ts";
import { exitCodeOf, renderPlan } from "../../runner/plan/render/render.ts";
import type { StackCommand } from "../command.ts";
import { withPlanInput } from "../stack/plan-input.ts";
import { readReportCall, reportFlags, reportUsage, subjectOf, writeReport } from "./report.ts";

const described = {
  summary:
    "says in the words of PostgreSQL what up would do; exit code 3 for changes, 2 where up would refuse",
  usage: `plan [STACK] ${reportUsage}`,
  flags: reportFlags,
};

const plan: StackCommand = {
  ...described,
  run: async (args, surroundings) => {
    const call = readReportCall(described, args);
    const found = await withPlanInput(subjectOf(call, surroundings), makePlan);
    writeReport(call, surroundings, (coloured) => renderPlan(found, call.format, coloured));
    return exitCodeOf(found);
  },
};

export default plan;

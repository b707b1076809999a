import { writeFileSync } from "node:fs";
import { savedPlan } from "../../runner/plan/approval.ts";
import type { Plan } from "../../runner/plan/model.ts";
import { makePlan, type PlanInput } from "../../runner/plan/plan.ts";
import { exitCodeOf, type Format, renderPlan } from "../../runner/plan/render/render.ts";
import type { StackCommand } from "../command.ts";
import { withPlanInput } from "../stack/plan-input.ts";
import { readReportCall, reportFlags, reportUsage, subjectOf, writeReport } from "./report.ts";

const described: Omit<StackCommand, "run"> = {
  summary:
    "says in the words of PostgreSQL what up would do; exit code 3 for changes, 2 where up would refuse",
  usage: `plan [STACK] ${reportUsage} [--save FILE]`,
  flags: {
    ...reportFlags,
    save: { type: "string", value: "FILE", about: "keep it for up --approved FILE" },
  },
};

async function planned(input: PlanInput, format: Format, save: unknown): Promise<Plan> {
  const plan = await makePlan({ ...input, pictures: format === "html" || format === "json" });
  if (typeof save === "string") writeFileSync(save, `${JSON.stringify(await savedPlan(input, plan))}\n`);
  return plan;
}

const plan: StackCommand = {
  ...described,
  run: async (args, surroundings) => {
    const call = readReportCall(described, args);
    const found = await withPlanInput(subjectOf(call, surroundings), (input) =>
      planned(input, call.format, call.flags.save),
    );
    writeReport(call, surroundings, (coloured) => renderPlan(found, call.format, coloured));
    return exitCodeOf(found);
  },
};

export default plan;

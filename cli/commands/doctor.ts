import { parseWords } from "../../runner/cli/arguments.ts";
import doctor from "../../runner/commands/doctor.ts";
import type { StackCommand } from "../command.ts";
import { readProject } from "../project.ts";
import { pulumiSetting } from "../pulumi/environment.ts";

/** Looks at what the other commands use: the pulumi that they find or bring in. */
const doctorWithPulumi: StackCommand = {
  summary: doctor.summary,
  usage: doctor.usage,
  flags: doctor.flags,
  run: (args, call) => {
    const parsed = parseWords(doctor, args);
    Object.assign(process.env, pulumiSetting(readProject()).environment);
    return doctor.run({ ...call, ...parsed });
  },
};

export default doctorWithPulumi;

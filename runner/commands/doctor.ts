import type { Command } from "../cli/command.ts";
import { findings } from "../instance/doctor.ts";
import { ExitCode } from "../util/errors.ts";

const doctor: Command = {
  summary: "what was found on this machine, and what to do about each gap",
  usage: "doctor",
  flags: {},
  run: async ({ env, print }) => {
    const all = await findings(env);
    for (const { name, found, remedy } of all)
      print(`${found ? "ok     " : "missing"} ${name}: ${found ?? remedy}`);
    return all.every(({ found }) => found) ? ExitCode.done : ExitCode.failed;
  },
};

export default doctor;

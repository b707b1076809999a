import type { Command } from "../cli/command.ts";
import { jsonFlag } from "../cli/target.ts";
import { findings } from "../instance/doctor.ts";
import { ExitCode } from "../util/errors.ts";

const doctor: Command = {
  summary: "what was found on this machine, and what to do about each gap",
  usage: "doctor [--json]",
  flags: { json: jsonFlag },
  run: async ({ env, flags, print }) => {
    const all = await findings(env);
    if (flags.json === true) print(JSON.stringify({ findings: all }));
    else
      for (const { name, found, remedy } of all)
        print(`${found ? "ok     " : "missing"} ${name}: ${found ?? remedy}`);
    return all.every(({ found }) => found) ? ExitCode.done : ExitCode.failed;
  },
};

export default doctor;

import { installedPrograms } from "../server/programs.ts";
import { ExitCode } from "../user-error.ts";
import type { Verb } from "../verb.ts";

const doctor: Verb = {
  summary: "what was found on this machine, and what to do about each gap",
  usage: "doctor",
  flags: {},
  run: async ({ print }) => {
    for (const found of await installedPrograms()) print(`PostgreSQL ${found.version} in ${found.directory}`);
    return ExitCode.done;
  },
};

export default doctor;

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ExitCode } from "../../runner/util/errors.ts";
import type { StackCommand } from "../command.ts";
import { readProject } from "../project.ts";
import { bringIn, pulumiSetting } from "../pulumi/environment.ts";

const test: StackCommand = {
  summary: "the whole test suite, from nothing",
  usage: "test",
  flags: {},
  run: async () => {
    const project = readProject();
    const { environment } = pulumiSetting(project);
    bringIn("postgresql");
    bringIn("pgbouncer");
    bringIn("sshd");
    bringIn("chromium");
    const { PGSTACK_PROJECT: _, ...others } = process.env; // tests make projects of their own
    const child = spawn(process.execPath, [join(project.root, "tests/run.ts")], {
      stdio: "inherit",
      cwd: project.root,
      env: { ...others, ...environment },
    });
    const [code] = (await once(child, "close")) as [number | null];
    return code === 0 ? ExitCode.done : ExitCode.failed;
  },
};

export default test;

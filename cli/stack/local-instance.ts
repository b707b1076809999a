import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { serverProcess } from "../../runner/postgres/pid-file.ts";
import type { Project } from "../project.ts";

/** Starts each server that was made for the stack and does not run: the machine was started again, or the server was killed. */
export async function startStopped(
  { state }: Project,
  { stack }: StackName,
  log: (line: string) => void,
): Promise<void> {
  const folder = join(state, stack);
  if (!existsSync(folder)) return;
  for (const file of globSync(["instance.json", "*/instance.json"], { cwd: folder }).map((one) =>
    join(folder, one),
  )) {
    if (serverProcess({ directory: dirname(file) }) !== undefined) continue;
    log(`pgstack: starting the local instance of stack ${stack}`);
    const { ensureInstance, parseInstanceSettings } = await import("../../runner/instance/local-instance.ts");
    await ensureInstance(parseInstanceSettings(readFileSync(file, "utf8")), log);
  }
}

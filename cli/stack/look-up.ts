import type { StackFacts } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { readProject, refuseForeign } from "../project.ts";
import { openPulumi } from "../pulumi/pulumi.ts";
import { startStopped } from "./local-instance.ts";
import { readFacts } from "./stack.ts";

/** What a command may know of a stack; its local instance runs then. */
export async function lookUp(name: StackName, log: (line: string) => void): Promise<StackFacts> {
  const project = readProject();
  refuseForeign(project, name);
  const [facts] = await Promise.all([readFacts(openPulumi(project), name), startStopped(project, name, log)]);
  return facts;
}

import type { StackFacts } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { readProject, refuseForeign } from "../project.ts";
import { openPulumi } from "../pulumi/pulumi.ts";
import { clearStaleLock } from "./file-backend.ts";
import { startStopped } from "./local-instance.ts";
import { readFacts } from "./stack.ts";

/** What a command may know of a stack, and of the one of its databases that is named; its local instance runs then. */
export async function lookUp(
  name: StackName,
  log: (line: string) => void,
  database?: string,
): Promise<StackFacts> {
  const project = readProject();
  refuseForeign(project, name);
  const pulumi = openPulumi(project);
  await clearStaleLock(pulumi, name, log); // a killed engine may have left half of a state, which Pulumi cannot read
  const [facts] = await Promise.all([readFacts(pulumi, name, database), startStopped(project, name, log)]);
  return facts;
}

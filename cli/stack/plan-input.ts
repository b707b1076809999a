import { existsSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import type { StackFacts } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { type RecordedStack, recordedRights } from "../../runner/plan/engine.ts";
import type { PlanInput } from "../../runner/plan/plan.ts";
import { meanwhile } from "../../runner/util/background.ts";
import { readProject, refuseForeign, stackFileOf } from "../project.ts";
import { askPreview } from "../pulumi/preview.ts";
import { openPulumi, type Pulumi } from "../pulumi/pulumi.ts";
import { clearStaleLock } from "./file-backend.ts";
import { startStopped } from "./local-instance.ts";
import type { Checkpoint } from "./pending-operations.ts";
import { exportState, readFacts } from "./stack.ts";

const namespace = "pgstack:";

/** Secrets of a stack that Pulumi does not know cannot be read: their place is kept. */
function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]?.[0] === "secure") return "[secret]";
  return Object.fromEntries(entries.map(([key, one]) => [key, withoutSecrets(one)]));
}

/** The configuration of a stack that is not made yet, as its file has it. */
function configOfFile(pulumi: Pulumi, name: StackName): StackFacts["config"] {
  const file = stackFileOf(pulumi.project, name);
  const { config = {} } = existsSync(file)
    ? ((parse(readFileSync(file, "utf8")) ?? {}) as { config?: Record<string, unknown> })
    : {};
  const ours = Object.entries(config).filter(([key]) => key.startsWith(namespace));
  return Object.fromEntries(ours.map(([key, value]) => [key.slice(namespace.length), withoutSecrets(value)]));
}

/** The last update's declaration of rights, as the stack's state has it. */
function recordedIn(state: string): RecordedStack {
  const { deployment } = JSON.parse(state) as Checkpoint;
  const grants = deployment.resources?.find(({ urn }) =>
    /RoleGrants\$command:local:Command::roles-grants$/.test(urn),
  );
  return { rights: recordedRights(grants?.inputs?.stdin) };
}

/** Asks Pulumi and the stack's file for all that a plan is made from; the preview continues meanwhile. */
export async function planInput(name: StackName, log: (line: string) => void): Promise<PlanInput> {
  const project = readProject();
  refuseForeign(project, name);
  const pulumi = openPulumi(project);
  await clearStaleLock(pulumi, name, log);
  await startStopped(project, name, log);
  const preview = meanwhile(askPreview(pulumi, name.given));
  const [facts, state] = await Promise.all([readFacts(pulumi, name), exportState(pulumi, name)]);
  const now = new Date();
  if (state === undefined)
    return {
      facts: { ...facts, config: configOfFile(pulumi, name) },
      engine: undefined,
      recorded: { rights: undefined },
      now,
    };
  return { facts, engine: preview, recorded: recordedIn(state), now };
}

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
import { openTunnelsOf, withPulumi } from "./gateway.ts";
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

/** The last update's declaration of rights, as the stack's state has it. @param component of a stack with several databases */
function recordedIn(state: string, component: string | undefined): RecordedStack {
  const { deployment } = JSON.parse(state) as Partial<Checkpoint>;
  const name =
    component === undefined || component === "database" ? "roles-grants" : `${component}-roles-grants`;
  const grants = deployment?.resources?.find(({ urn }) => urn.endsWith(`$command:local:Command::${name}`));
  return { rights: recordedRights(grants?.inputs?.stdin) };
}

/** What a report is about. */
interface Subject {
  readonly name: StackName;
  /** Of several databases. */
  readonly database: string | undefined;
  readonly log: (line: string) => void;
}

/** Lends Pulumi on a stack whose local instance runs, and whose private servers can be reached. */
async function withStack<T>({ name, log }: Subject, use: (pulumi: Pulumi) => Promise<T>): Promise<T> {
  const project = readProject();
  refuseForeign(project, name);
  await clearStaleLock(openPulumi(project), name, log);
  await startStopped(project, name, log);
  return withPulumi(project, name, log, use);
}

/** Asks Pulumi and the stack's file for all that a plan is made from, and lends it; the preview runs meanwhile. */
export function withPlanInput<T>(subject: Subject, use: (input: PlanInput) => Promise<T>): Promise<T> {
  const { name, database, log } = subject;
  return withStack(subject, async (pulumi) => {
    const preview = meanwhile(askPreview(pulumi, name.given));
    const [found, state] = await Promise.all([readFacts(pulumi, name, database), exportState(pulumi, name)]);
    const isNew = state === undefined;
    const facts = isNew ? { ...found, config: configOfFile(pulumi, name) } : found;
    await using _tunnels = await openTunnelsOf(facts, log);
    const recorded = isNew ? { rights: undefined } : recordedIn(state, facts.component);
    return await use({ facts, engine: isNew ? undefined : preview, recorded, now: new Date() });
  });
}

/** The same without a preview: what drift is read from. */
export function withDriftInput<T>(
  subject: Subject,
  use: (input: Omit<PlanInput, "engine">) => Promise<T>,
): Promise<T> {
  const { name, database, log } = subject;
  return withStack(subject, async (pulumi) => {
    const [facts, state = "{}"] = await Promise.all([
      readFacts(pulumi, name, database),
      exportState(pulumi, name),
    ]);
    await using _tunnels = await openTunnelsOf(facts, log);
    return await use({ facts, recorded: recordedIn(state, facts.component), now: new Date() });
  });
}

import type { EnginePreview, EngineStep } from "../../runner/plan/engine.ts";
import { UserError } from "../../runner/util/errors.ts";
import { type Pulumi, reasonOf } from "./pulumi.ts";

type Inputs = Readonly<Record<string, unknown>>;

/** A step as `pulumi preview --json` prints it. https://pkg.go.dev/github.com/pulumi/pulumi/sdk/v3/go/auto#PreviewStep */
interface Step {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: { readonly type: string; readonly inputs?: Inputs };
  readonly newState?: { readonly type: string; readonly inputs?: Inputs };
  readonly diffReasons?: readonly string[] | null;
}

/** What of its output is read here. */
interface Digest {
  readonly steps?: readonly Step[] | null;
  readonly diagnostics?: readonly { readonly message: string; readonly severity: string }[] | null;
}

/** Operations that change nothing. */
const idle = ["same", "read", "refresh", "import"];

function stepOf({ op, urn, oldState, newState, diffReasons }: Step): EngineStep {
  return {
    operation: op,
    type: (newState ?? oldState)?.type ?? "",
    name: urn.slice(urn.lastIndexOf("::") + 2),
    before: oldState?.inputs ?? null,
    after: op === "delete" ? null : (newState?.inputs ?? null),
    because: diffReasons ?? [],
  };
}

/** The engine puts the severity before a message. */
const plainText = (message: string) => message.trim().replace(/^(?:error|warning|info): /, "");

/** Reads what `pulumi preview --json` prints. Throws SyntaxError for what is no JSON. */
export function readPreview(json: string): EnginePreview {
  const { steps, diagnostics } = JSON.parse(json) as Digest;
  const messages = (severities: readonly string[]) =>
    (diagnostics ?? [])
      .filter(({ severity }) => severities.includes(severity))
      .map(({ message }) => plainText(message));
  return {
    refusals: [...new Set(messages(["error"]))],
    notes: messages(["warning", "info"]),
    steps: (steps ?? []).filter(({ op }) => !idle.includes(op)).map(stepOf),
  };
}

/** Runs Pulumi's preview of a stack. Throws UserError with Pulumi's own words where it prints no plan. */
export async function askPreview(pulumi: Pulumi, stack: string): Promise<EnginePreview> {
  const { code, stdout, stderr } = await pulumi.ask(["preview", "--json", "--stack", stack]);
  const at = stdout.indexOf("{");
  if (at < 0) throw new UserError(`pulumi preview failed: ${reasonOf(stderr)}`);
  const found = readPreview(stdout.slice(at));
  const silent = code !== 0 && found.refusals.length === 0;
  return silent ? { ...found, refusals: [reasonOf(stderr) || `pulumi preview ended with ${code}`] } : found;
}

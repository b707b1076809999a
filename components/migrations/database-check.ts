import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import * as pulumi from "@pulumi/pulumi";
import type { CheckRequest, CheckResult } from "../../runner/migrations/check.ts";
import { projectRoot } from "../../runner/project.ts";

/** Pulumi's own view of an output, of which its types say nothing. */
interface Settling<T> {
  readonly isKnown: Promise<boolean>;
  promise(): Promise<T>;
}

/** The value of an output, or undefined where a preview cannot know it. */
async function valueOf<T>(output: pulumi.Output<T>): Promise<T | undefined> {
  const settling = output as unknown as Settling<T>;
  return (await settling.isKnown) ? await settling.promise() : undefined;
}

async function run(request: CheckRequest, environment: Record<string, string>): Promise<CheckResult> {
  const child = spawn(process.execPath, ["runner/main.ts", "migrations-check"], {
    cwd: projectRoot,
    env: { ...process.env, ...environment },
  });
  child.stdin.end(JSON.stringify(request));
  const ended = new Promise<number | null>((resolve, reject) =>
    child.on("close", resolve).on("error", reject),
  );
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new pulumi.RunError(stderr.trim());
  return JSON.parse(stdout) as CheckResult;
}

/** Tells what the database says, as far as a person should hear it. */
function report(result: CheckResult, resource: pulumi.Resource): void {
  if (result.database === "unreachable")
    pulumi.log.warn(
      `The history of migrations could not be read, so edited, unknown and missing ones do not show here. ${result.reason}`,
      resource,
    );
  if (result.pending.length > 0)
    pulumi.log.info(`${result.pending.length} to apply: ${result.pending.join(", ")}`, resource);
  for (const { message } of result.warnings) pulumi.log.warn(message, resource);
  for (const { verdict, message } of result.findings)
    pulumi.log.warn(verdict === "refuse" ? `${message} (\`up\` refuses until then.)` : message, resource);
}

/**
 * Asks the runner, in a process of its own, how the files and the database stand to each other. Undefined where the
 * connection is not known yet: before the first `up`.
 */
export async function checkDatabase(
  request: CheckRequest,
  environment: Record<string, pulumi.Input<string>>,
  resource: pulumi.Resource,
): Promise<CheckResult | undefined> {
  const known = await valueOf(pulumi.output(environment));
  if (known === undefined) return undefined;
  const result = await run(request, known);
  report(result, resource);
  return result;
}

import * as pulumi from "@pulumi/pulumi";
import type { CheckRequest, CheckResult } from "../../runner/migrations/check.ts";
import { askRunner } from "../ask-runner.ts";

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
  const result = await askRunner<CheckResult>("migrations-check", request, environment);
  if (result !== undefined) report(result, resource);
  return result;
}

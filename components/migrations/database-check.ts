import * as pulumi from "@pulumi/pulumi";
import type { CheckRequest, CheckResult } from "../../runner/migrations/check.ts";
import { askRunner } from "../ask-runner.ts";

const unread: Partial<Record<CheckResult["database"], string>> = {
  unreachable:
    "The database could not be asked what is applied, so this preview goes by the files alone: edited, unknown and missing migrations do not show.",
  absent:
    "The stack has made this database, and it is gone. ./pgstack refresh tells the stack, and the next ./pgstack up makes it again.",
};

/** Tells what the database says, as far as a person should hear it. */
function report(result: CheckResult, resource: pulumi.Resource): void {
  const gap = unread[result.database];
  if (gap !== undefined) pulumi.log.warn(`${gap} ${result.reason}`, resource);
  if (result.pending.length > 0)
    pulumi.log.info(`${result.pending.length} to apply: ${result.pending.join(", ")}`, resource);
  for (const { message } of result.warnings) pulumi.log.warn(message, resource);
  for (const { verdict, message } of result.findings)
    pulumi.log.warn(verdict === "refuse" ? `${message} (\`up\` refuses until then.)` : message, resource);
}

/** The database to ask, and the PG* variables that lead there. */
export interface Checked {
  readonly environment: Record<string, pulumi.Input<string>>;
  readonly database: pulumi.CustomResource;
}

/**
 * Asks the runner how the files and the database stand to each other. Undefined where the database is still to be made: at
 * the preview of the first `up`.
 */
export async function checkDatabase(
  request: CheckRequest,
  { environment, database }: Checked,
  resource: pulumi.Resource,
): Promise<CheckResult | undefined> {
  const known = pulumi.all([environment, database.id]).apply(([variables]) => variables);
  const result = await askRunner<CheckResult>("migrations-check", request, known);
  if (result !== undefined) report(result, resource);
  return result;
}

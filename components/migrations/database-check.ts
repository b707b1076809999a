import * as pulumi from "@pulumi/pulumi";
import type { CheckRequest, CheckResult } from "../../runner/migrations/check.ts";
import { askRunner, valueOf } from "../ask-runner.ts";

const unread: Partial<Record<CheckResult["database"], string>> = {
  unreachable:
    "The database could not be asked what is applied, so this preview goes by the files alone: edited, unknown and missing migrations do not show.",
  absent:
    "The stack has made this database, and it is gone. ./pgstack up makes it again; plain pulumi needs a refresh first.",
};

/** Tells what the database says, as far as a person should hear it. */
function report(result: CheckResult, resource: pulumi.Resource): void {
  const gap = unread[result.database];
  if (gap !== undefined) pulumi.log.warn(`${gap} ${result.reason}`, resource);
  const { adopting, pending } = result;
  if (adopting.length > 0)
    pulumi.log.info(
      `${adopting.length} to record, if the schema is theirs: ${adopting.join(", ")}`,
      resource,
    );
  if (pending.length > 0) pulumi.log.info(`${pending.length} to apply: ${pending.join(", ")}`, resource);
  for (const { message } of result.warnings) pulumi.log.warn(message, resource);
  for (const { verdict, message } of result.findings)
    pulumi.log.warn(verdict === "refuse" ? `${message} (\`up\` refuses until then.)` : message, resource);
}

type Environment = Readonly<Record<string, pulumi.Input<string>>>;

/** The database to ask, and the PG* variables that lead there. */
export interface Checked {
  readonly asOwner: Environment;
  /** As the admin, who becomes the owner where the server lets him. */
  readonly asAdmin: Environment;
  readonly database: pulumi.CustomResource;
}

/**
 * Asks the runner how the files and the database stand to each other: as the admin, who is known before the owner's
 * password is, and as the owner where that gives no answer. Undefined where the database is still to be made: at the
 * preview of the first `up`.
 */
export async function checkDatabase(
  request: CheckRequest,
  { asOwner, asAdmin, database }: Checked,
  resource: pulumi.Resource,
): Promise<CheckResult | undefined> {
  const ask = (environment: Environment) => askRunner<CheckResult>("migrations-check", request, environment);
  const [early, id] = await Promise.all([ask(asAdmin), valueOf(database.id)]);
  if (id === undefined) return undefined;
  const result = early?.database === "read" ? early : await ask(asOwner);
  if (result !== undefined) report(result, resource);
  return result;
}

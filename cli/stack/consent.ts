import type { StackName } from "../../runner/cli/stack-name.ts";
import { RefusedError } from "../../runner/util/errors.ts";
import { isSet, type PulumiArguments } from "../pulumi/flags.ts";

/**
 * Whether Pulumi is told `--yes` by us: without a terminal `dev` is changed unasked. Throws RefusedError for any other
 * stack, which then needs `--yes` from the user.
 *
 * @param call what the user would have to type
 */
export function consentFor({ stack }: StackName, given: PulumiArguments, call: string): boolean {
  if (process.stdin.isTTY === true || isSet(given, "yes") || isSet(given, "preview-only")) return false;
  if (stack === "dev") return true;
  throw new RefusedError(`without a terminal, stack ${stack} is changed only with a named flag: ${call}`);
}

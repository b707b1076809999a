import type { StackName } from "../../runner/cli/stack-name.ts";
import { UserError } from "../../runner/util/errors.ts";
import { isSet, type PulumiArguments, wordsOf } from "../pulumi/flags.ts";
import type { Pulumi } from "../pulumi/pulumi.ts";
import type { Checkpoint } from "./pending-operations.ts";

// Pulumi refuses to delete a protected resource when it comes to it. Without a preview that is after it has deleted what is not
// protected: the login roles and their passwords. So it is asked here before anything goes.

/** The last part of a URN. */
const nameOf = (urn: string) => urn.slice(urn.lastIndexOf("::") + 2);

function protectedNames({ deployment }: Checkpoint): string[] {
  const all = deployment.resources ?? [];
  return all.filter(({ protect }) => protect === true).map(({ urn }) => nameOf(urn));
}

function refuse({ stack, given }: StackName, names: readonly string[]): never {
  throw new UserError(
    `Stack "${stack}" protects ${names.join(", ")}: nothing was removed. To remove them all the same, set pgstack:protect to ` +
      `false and run ./pgstack up ${given} first, or give --ignore-protect.`,
  );
}

const narrowing = ["target", "exclude", "exclude-protected", "preview-only"];

/** Throws UserError where a command would remove what the stack protects, before it removes anything. */
export async function refuseUnprotected(
  pulumi: Pulumi,
  command: "up" | "destroy",
  name: StackName,
  state: Checkpoint,
  given: PulumiArguments,
): Promise<void> {
  const names = protectedNames(state);
  if (names.length === 0 || isSet(given, "ignore-protect")) return;
  const isPartial = given.flags.some((flag) => narrowing.includes(flag.name));
  if (command === "destroy" && !isPartial) refuse(name, names);
  if (isSet(given, "skip-preview")) await refuseByPreview(pulumi, command, name, given, names);
}

/** What a preview refuses for protection, the command would come to as well, half-way. */
async function refuseByPreview(
  pulumi: Pulumi,
  command: "up" | "destroy",
  name: StackName,
  given: PulumiArguments,
  names: readonly string[],
): Promise<void> {
  const left = { flags: given.flags.filter((flag) => !["skip-preview", "yes", "json"].includes(flag.name)) };
  const preview = command === "up" ? ["preview"] : ["destroy", "--preview-only"];
  const { code, stdout, stderr } = await pulumi.ask([...preview, "--stack", name.given, ...wordsOf(left)]);
  if (code !== 0 && /marked for protection/.test(stdout + stderr)) refuse(name, names);
}

import type { Call, Flags } from "../runner/cli/command.ts";
import type { ExitCode } from "../runner/util/errors.ts";

/** A command that works on a stack as a whole, by Pulumi; it reads its own arguments. */
export interface StackCommand {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The call's form, without the leading `./pgstack`. */
  readonly usage: string;
  /** Its flags for the help text and for completion; those of Pulumi are not among them. */
  readonly flags: Flags;
  /** Whether further flags are handed to the pulumi command of that name. */
  readonly pulumi?: string;
  /** Does the work; resolves to the exit code. Throws UserError for what a person can mend. */
  readonly run: (args: readonly string[], call: Omit<Call, "flags" | "words">) => Promise<ExitCode>;
}

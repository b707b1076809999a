import * as v from "valibot";

const commandForm = "a command that prints the password";

/** How the administrator's password is had where it is a token that soon expires: `pgstack:adminAuth`. */
export const AdminAuth = v.strictObject({
  /** A shell command that prints a password; run for each connection. */
  command: v.pipe(
    v.string(commandForm),
    v.check((command) => command.trim() !== "" && !command.includes("\0"), commandForm),
  ),
});
export type AdminAuthConfig = v.InferOutput<typeof AdminAuth>;

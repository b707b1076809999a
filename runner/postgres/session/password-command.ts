import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { userCommandEnvironment } from "../../util/child-environment.ts";
import { UserError } from "../../util/errors.ts";

/** Longer than any login of a cloud's command line takes. */
const timeoutMs = 60_000;

/** A password command that failed. */
function failure(reason: string, said: string): UserError {
  const words = said.trim().split("\n").slice(-3).join("; ");
  return new UserError(
    `The command of adminAuth printed no password: ${reason}${words === "" ? "" : `: ${words}`}. ` +
      "Expected that it prints the password alone, on one line, and ends with exit code 0. Run it by hand to see what it needs.",
  );
}

/**
 * Runs a password command and gives what it prints. The command sees the variables of the user's shell, such as AWS_PROFILE, and
 * nothing of the stack. What it prints is in no message. Throws UserError where it fails, or prints nothing or several lines.
 */
export async function passwordFrom(command: string): Promise<string> {
  const child = spawn("sh", ["-c", command], {
    env: userCommandEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
  });
  const [printed, said, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null, string | null]>,
  ]);
  if (signal !== null) throw failure(`it was ended by ${signal} (after ${timeoutMs / 1000} s at most)`, said);
  if (code !== 0) throw failure(`it ended with exit code ${code}`, said);
  const password = printed.replace(/\r?\n$/, "");
  if (password === "") throw failure("it printed nothing", said);
  if (/\p{Cc}/u.test(password)) throw failure("it printed more than one line, or a control character", said);
  return password;
}

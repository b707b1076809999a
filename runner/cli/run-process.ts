import { text } from "node:stream/consumers";
import { ExitCode, UserError } from "../util/errors.ts";
import { linesOf } from "../util/lines.ts";
import type { Call } from "./command.ts";

/** What a command sees of this process; all but its own arguments. */
export const surroundings: Omit<Call, "flags" | "words" | "internal"> = {
  env: process.env,
  stdin: () => text(process.stdin),
  lines: () => linesOf(process.stdin),
  print: (line) => process.stdout.write(`${line}\n`),
  log: (line) => process.stderr.write(`${line}\n`),
  terminal: process.stderr.isTTY === true,
};

/** Whoever reads the output may be gone before the end: the work continues, and ends as it would. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
}

/** Runs a whole program, and sets the code that the process ends with: mistakes print plainly, bugs with their stack. */
export async function runProcess(program: () => Promise<ExitCode>): Promise<void> {
  outliveReaders();
  try {
    process.exitCode = await program();
  } catch (error) {
    const mistake = error instanceof UserError;
    process.stderr.write(`${mistake ? `error: ${error.message}` : ((error as Error).stack ?? error)}\n`);
    process.exitCode = mistake ? error.exitCode : ExitCode.failed;
  }
}

import { parseArgs } from "node:util";
import { RefusedError } from "../util/errors.ts";
import type { Call, Command } from "./command.ts";

/** "One step back", which parseArgs would take for a flag. */
const step = /^-\d+$/;

/** Sorts a verb's arguments into flags and words. Throws RefusedError that shows how the verb is used. */
export function parseWords(verb: Command, args: readonly string[]): Pick<Call, "flags" | "words"> {
  const dashes = args.indexOf("--");
  const own = dashes < 0 ? args : args.slice(0, dashes);
  const others = args.slice(own.length);
  const steps = own.filter((word) => step.test(word));
  try {
    const rest = [...own.filter((word) => !step.test(word)), ...others];
    const parsed = parseArgs({ args: rest, options: verb.flags, allowPositionals: true, strict: true });
    const words = parsed.positionals.length - Math.max(others.length - 1, 0);
    return { flags: parsed.values, words: parsed.positionals.toSpliced(words, 0, ...steps) };
  } catch (error) {
    throw new RefusedError(`${(error as Error).message}\nUsage: ./pgstack ${verb.usage}`, { cause: error });
  }
}

import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";
import { type Cutover, parseCutover } from "./settings.ts";

/** A verb that a cutover's resource calls: settings as JSON on standard input, its result as JSON on standard output. */
export function cutoverVerb(
  name: string,
  summary: string,
  step: (cutover: Cutover) => Promise<object>,
): Verb {
  return {
    summary,
    usage: `${name} < SETTINGS`,
    flags: {},
    run: async (call) => {
      const cutover = parseCutover(await call.stdin(), call.env, call.log);
      call.print(JSON.stringify(await step(cutover)));
      return ExitCode.done;
    },
  };
}

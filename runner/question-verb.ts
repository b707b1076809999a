import { ExitCode } from "./user-error.ts";
import type { Question, Verb } from "./verb.ts";

/** A verb that a stack's program asks while it runs: a question as JSON on standard input, the answer as JSON on standard output. */
export function questionVerb<Request>(
  name: string,
  summary: string,
  answer: (
    request: Request,
    environment: Question<Request>["environment"],
  ) => Promise<object | null | undefined>,
): Verb {
  return {
    summary,
    usage: `${name} < QUESTION`,
    flags: {},
    run: async ({ stdin, print }) => {
      const { request, environment } = JSON.parse(await stdin()) as Question<Request>;
      print(JSON.stringify((await answer(request, environment)) ?? null));
      return ExitCode.done;
    },
  };
}

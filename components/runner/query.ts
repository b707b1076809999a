import * as pulumi from "@pulumi/pulumi";
import type { Variables } from "./command.ts";
import type { Queries } from "./query-process.ts";

/** Pulumi's own view of an output, of which its types say nothing. */
interface Settling<T> {
  readonly isKnown: Promise<boolean>;
  promise(): Promise<T>;
}

/** The value of an output, or undefined where a preview cannot know it. */
export async function knownValue<T>(output: pulumi.Output<T>): Promise<T | undefined> {
  const settling = output as unknown as Settling<T>;
  return (await settling.isKnown) ? await settling.promise() : undefined;
}

/**
 * Asks one of the runner's internal commands while the program runs. Undefined where the connection is not known yet:
 * before the first `up`. Throws RunError with what the command says when it fails.
 */
export async function askRunner<Answer>(
  queries: Queries,
  command: string,
  request: object,
  environment: Variables,
): Promise<Answer | undefined> {
  const known = await knownValue(pulumi.output(environment));
  if (known === undefined) return undefined;
  const answer = await queries.ask(command, { request, environment: known }).catch((error: Error) => {
    throw new pulumi.RunError(error.message);
  });
  return answer as Answer;
}

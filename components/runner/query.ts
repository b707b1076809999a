import * as pulumi from "@pulumi/pulumi";
import type { Query } from "../../runner/cli/command.ts";
import { askProcess } from "./query-process.ts";

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
 * Asks one of the runner's verbs while the program runs. Undefined where the connection is not known yet: before the first
 * `up`. Throws RunError with what the verb says when it fails.
 */
export async function askRunner<Answer>(
  verb: string,
  request: object,
  environment: pulumi.Input<Readonly<Record<string, pulumi.Input<string>>>>,
): Promise<Answer | undefined> {
  const known = await knownValue(pulumi.output(environment));
  if (known === undefined) return undefined;
  const question: Query<object> = { request, environment: known };
  const answer = await askProcess(verb, question).catch((error: Error) => {
    throw new pulumi.RunError(error.message);
  });
  return answer as Answer;
}

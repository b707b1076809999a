import * as pulumi from "@pulumi/pulumi";

/** Ends the program with an error, reported once by Pulumi's own handler: a RunError without a stack. What is under way continues. */
export function fail(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * Says what stands against the update. A preview continues, so that it shows all of it and its plan, and fails at its end;
 * an update ends here. Throws RunError in an update.
 */
export function refuse(messages: readonly string[]): void {
  if (messages.length === 0) return;
  if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(messages.join("\n"));
  for (const message of messages) fail(new pulumi.RunError(message));
}

/** Says what nobody knows since a server does not answer: a warning, or a refusal where nothing may be left open. */
export function warnOrRefuse(message: string, resource: pulumi.Resource): void {
  const { CI, PGSTACK_STRICT } = process.env;
  if (CI === "true" || PGSTACK_STRICT === "true") refuse([message]);
  else void pulumi.log.warn(message, resource);
}

/**
 * For what a component continues with by itself: an error ends the program as it is, and what waits for the result is never
 * declared. (An output that rejects would be reported again, with a stack, by everything that it is a part of.)
 */
export function orFail<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    fail(error);
    return new Promise<never>(() => {});
  });
}

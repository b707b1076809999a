import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import * as pulumi from "@pulumi/pulumi";
import { projectRoot } from "../runner/project.ts";

/** Pulumi's own view of an output, of which its types say nothing. */
interface Settling<T> {
  readonly isKnown: Promise<boolean>;
  promise(): Promise<T>;
}

/** The value of an output, or undefined where a preview cannot know it. */
async function valueOf<T>(output: pulumi.Output<T>): Promise<T | undefined> {
  const settling = output as unknown as Settling<T>;
  return (await settling.isKnown) ? await settling.promise() : undefined;
}

/**
 * Asks one of the runner's verbs while the program runs, in a process of its own: request and answer are JSON. Undefined
 * where the connection is not known yet: before the first `up`. Throws RunError with what the verb says when it fails.
 */
export async function askRunner<Answer>(
  verb: string,
  request: object,
  environment: Record<string, pulumi.Input<string>>,
): Promise<Answer | undefined> {
  const known = await valueOf(pulumi.output(environment));
  if (known === undefined) return undefined;
  const child = spawn(process.execPath, ["runner/main.ts", verb], {
    cwd: projectRoot,
    env: { ...process.env, ...known },
  });
  child.stdin.end(JSON.stringify(request));
  const ended = new Promise<number | null>((resolve, reject) =>
    child.on("close", resolve).on("error", reject),
  );
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new pulumi.RunError(stderr.trim());
  return JSON.parse(stdout) as Answer;
}

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import * as pulumi from "@pulumi/pulumi";
import { projectRoot } from "../runner/project.ts";
import type { Question } from "../runner/verb.ts";

/** Pulumi's own view of an output, of which its types say nothing. */
interface Settling<T> {
  readonly isKnown: Promise<boolean>;
  promise(): Promise<T>;
}

/** The value of an output, or undefined where a preview cannot know it. */
export async function valueOf<T>(output: pulumi.Output<T>): Promise<T | undefined> {
  const settling = output as unknown as Settling<T>;
  return (await settling.isKnown) ? await settling.promise() : undefined;
}

/** What keeps this process waiting as long as it is open. */
interface Handle {
  ref(): unknown;
  unref(): unknown;
}

function handlesOf(child: ChildProcessWithoutNullStreams): Handle[] {
  return [child, ...[child.stdin, child.stdout, child.stderr].map((stream) => stream as Socket)];
}

/** A runner that waits for its question. Where none comes, since the update fails before, nothing waits for the runner. */
function startRunner(verb: string): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, ["runner/main.ts", verb], { cwd: projectRoot });
  for (const handle of handlesOf(child)) handle.unref();
  return child;
}

async function ask<Answer>(child: ChildProcessWithoutNullStreams, question: object): Promise<Answer> {
  for (const handle of handlesOf(child)) handle.ref();
  child.stdin.end(JSON.stringify(question));
  const ended = new Promise<number | null>((resolve, reject) =>
    child.on("close", resolve).on("error", reject),
  );
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new pulumi.RunError(stderr.trim());
  return JSON.parse(stdout) as Answer;
}

/**
 * Asks one of the runner's verbs while the program runs, in a process of its own, which starts while the engine is still
 * finding the connection. Undefined where that is not known yet: before the first `up`. Throws RunError with what the verb
 * says when it fails.
 */
export async function askRunner<Answer>(
  verb: string,
  request: object,
  environment: pulumi.Input<Readonly<Record<string, pulumi.Input<string>>>>,
): Promise<Answer | undefined> {
  const child = startRunner(verb);
  const known = await valueOf(pulumi.output(environment));
  if (known !== undefined) return ask(child, { request, environment: known } satisfies Question<object>);
  child.kill();
  return undefined;
}

import { setTimeout as sleep } from "node:timers/promises";
import { type CutoverSettings, requestOf } from "../../runner/cutover/settings.ts";
import { startCommand } from "./databases.ts";

/** A stage that runs. */
export interface Stage {
  readonly kill: () => void;
  /** Its exit code, or null where a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Starts a stage of a cutover in a process of its own, as its resource does. */
export function startStage(words: readonly string[], cutover: CutoverSettings): Stage {
  const { request, environment } = requestOf(cutover);
  const child = startCommand(words, environment);
  child.stdin?.end(JSON.stringify(request));
  for (const stream of [child.stdout, child.stderr]) stream?.resume();
  return {
    kill: () => child.kill("SIGKILL"),
    ended: new Promise((resolve) => child.once("close", resolve)),
  };
}

/** Runs a stage, and kills it after a while. True where the kill came before its end. */
export async function killedCommand(
  words: readonly string[],
  cutover: CutoverSettings,
  milliseconds: number,
): Promise<boolean> {
  const stage = startStage(words, cutover);
  await Promise.race([stage.ended, sleep(milliseconds, undefined, { ref: false })]);
  stage.kill();
  return (await stage.ended) === null;
}

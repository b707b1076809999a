import { setTimeout as sleep } from "node:timers/promises";
import type { CutoverRequest, CutoverSettings } from "../../runner/cutover/settings.ts";
import { environmentOf } from "../../runner/postgres/connection.ts";
import { startVerb } from "./databases.ts";

function settingsOf({
  source,
  owners,
  declaredRoles,
  pgbouncer,
  ...cutover
}: CutoverSettings): CutoverRequest {
  const { password: _, ...place } = source;
  return {
    ...cutover,
    source: { ...place, owner: owners.source },
    owner: owners.target,
    roles: declaredRoles,
    pgbouncer: pgbouncer && { configFile: pgbouncer.configFile },
  };
}

function environmentFor({ source, target, pgbouncer }: CutoverSettings): Record<string, string | undefined> {
  const { user, password, host, port, database } = pgbouncer?.admin ?? target;
  return {
    ...environmentOf(target),
    PGSTACK_SOURCE_PASSWORD: source.password,
    PGSTACK_PGBOUNCER_URL: `postgres://${user}:${password}@${host}:${port}/${database}`,
  };
}

/** A stage that runs. */
export interface Stage {
  readonly kill: () => void;
  /** Its exit code, or null where a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Starts a stage of a cutover in a process of its own, as its resource does. */
export function startStage(words: readonly string[], cutover: CutoverSettings): Stage {
  const child = startVerb(words, environmentFor(cutover));
  child.stdin?.end(JSON.stringify(settingsOf(cutover)));
  for (const stream of [child.stdout, child.stderr]) stream?.resume();
  return {
    kill: () => child.kill("SIGKILL"),
    ended: new Promise((resolve) => child.once("close", resolve)),
  };
}

/** Runs a stage, and kills it after a while. True where the kill came before its end. */
export async function killedVerb(
  words: readonly string[],
  cutover: CutoverSettings,
  milliseconds: number,
): Promise<boolean> {
  const stage = startStage(words, cutover);
  await Promise.race([stage.ended, sleep(milliseconds, undefined, { ref: false })]);
  stage.kill();
  return (await stage.ended) === null;
}

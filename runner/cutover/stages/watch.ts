import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { childEnvironment } from "../../util/child-environment.ts";
import { projectRoot, runnerProgram } from "../../util/project.ts";
import { routesVariable } from "../../util/routes.ts";
import { withAdmin } from "../connections.ts";
import { expiryReason, freezeLeft, timeLeft } from "../freeze/budget.ts";
import { DefinitionLock } from "../freeze/definition-lock.ts";
import { unfreeze } from "../freeze/freeze.ts";
import { clientsAreRedirected, pausedSince, redirectClientsBack } from "../pgbouncer/clients.ts";
import type { Log } from "../session.ts";
import { type CutoverSettings, requestOf } from "../settings.ts";
import { noteRollback, readState } from "../state/state.ts";

/**
 * Starts a process that ends the pause and the freeze of this cutover once `cutover.maxFreeze` has passed, and that holds the
 * definitions of the source where no event trigger refuses their change, whatever has become of this run: it is in a process group of its own, so that a kill of the run leaves it. It ends by itself as soon
 * as there is nothing to end any more.
 */
export function startWatch(settings: CutoverSettings): void {
  const { request, environment } = requestOf(settings);
  const child = spawn(process.execPath, [runnerProgram, "cutover-watch"], {
    cwd: projectRoot,
    env: childEnvironment({ ...environment, ...routes() }),
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.on("error", () => {}); // without it the freeze ends by the run itself, or by the next one
  child.stdin.on("error", () => {});
  child.stdin.write(`${JSON.stringify(request)}\n`); // stays open as long as this run lives
  child.unref();
  (child.stdin as unknown as Socket).unref();
}

/** The tunnels of this run, as long as they stand. */
function routes(): Record<string, string> {
  const text = process.env[routesVariable];
  return text === undefined ? {} : { [routesVariable]: text };
}

/** What this cutover keeps its clients from writing by, and how long it still may. */
interface Held {
  /** Of the freeze; undefined where clients are only paused. */
  readonly epoch: string | undefined;
  /** Milliseconds; Infinity where nothing limits it. */
  readonly left: number;
  /** Whether nothing but a lock keeps definitions from being changed. */
  readonly locksDefinitions: boolean;
}

/** What this cutover holds at the moment; undefined where the source is writable, or its clients have moved for good. */
async function heldBy(settings: CutoverSettings): Promise<Held | undefined> {
  const frozen = await withAdmin(settings.source, (client) => readState(client, "source"));
  if (frozen?.holder === settings.stack) {
    if (frozen.movedTo !== undefined) return undefined;
    const locksDefinitions = frozen.proved && frozen.fingerprint !== undefined;
    return { epoch: frozen.epoch, left: freezeLeft(settings, frozen), locksDefinitions };
  }
  const paused = pausedSince(settings);
  return paused === undefined
    ? undefined
    : { epoch: undefined, left: timeLeft(settings, paused), locksDefinitions: false };
}

const lookEveryMs = 1000;
/** As long as a freeze may begin, or statements may wait for the lock on definitions. */
const lookOftenMs = 200;
/** For how long a server that does not answer is asked after the time is over. */
const patienceMs = 120_000;

/** Ends what this cutover holds for too long, and says why in the target's state. A switch that is complete stays. */
async function endHeld(settings: CutoverSettings, { epoch }: Held): Promise<void> {
  const { source, stack } = settings;
  if (epoch !== undefined && !(await unfreeze(source, stack, { only: epoch }))) return;
  if (!clientsAreRedirected(settings)) await redirectClientsBack(settings);
  await withAdmin(settings.target, (client) => noteRollback(client, expiryReason(settings))).catch(() => {}); // the source counts
}

/** Whether there is nothing left to watch once the run has ended. */
const isDone = (held: Held | undefined) =>
  held === undefined || (held.left === Number.POSITIVE_INFINITY && !held.locksDefinitions);

/** Looks once: ends what is held for too long, and holds the definitions. Gives the time until the next look. */
async function lookAfter(
  settings: CutoverSettings,
  held: Held | undefined,
  definitions: DefinitionLock,
): Promise<number> {
  if (held !== undefined && held.left <= 0) await endHeld(settings, held);
  if (held?.locksDefinitions !== true) await definitions.release();
  else await definitions.hold();
  const often = held === undefined || held.locksDefinitions;
  return Math.max(20, Math.min(often ? lookOftenMs : lookEveryMs, held?.left ?? lookEveryMs));
}

/**
 * Waits until nothing is held and the run that started this process has ended, and ends what is held for too long.
 * @param runEnded resolves when that run has ended
 */
export async function watch(settings: CutoverSettings, log: Log, runEnded: Promise<void>): Promise<void> {
  let running = true;
  void runEnded.finally(() => {
    running = false;
  });
  await using definitions = new DefinitionLock(settings.source);
  for (let answered = Date.now(); Date.now() - answered < settings.maxFreeze + patienceMs; ) {
    try {
      const held = await heldBy(settings);
      answered = Date.now();
      if (!running && isDone(held)) return;
      await sleep(await lookAfter(settings, held, definitions));
    } catch (error) {
      log(`warning: ${(error as Error).message}`);
      await sleep(lookEveryMs);
    }
  }
}

import { ExpiredFreeze, freezeLeft } from "../freeze/budget.ts";
import { CutoverSession, type Log } from "../session.ts";
import type { CutoverSettings } from "../settings.ts";
import type { TargetState } from "../state/state.ts";

/** What a stage of the switch does. */
export interface Stage<T> {
  /** Answers from what the target remembers, once clients have been sent to it: then no stage touches either side again. */
  readonly completed: (state: TargetState) => T;
  readonly run: (session: CutoverSession) => Promise<T>;
}

/** Runs a stage in a session of its own. Where it fails, the cutover is rolled back. */
export async function runStage<T>(settings: CutoverSettings, log: Log, stage: Stage<T>): Promise<T> {
  await using session = await CutoverSession.open(settings, log);
  if (session.completed) return stage.completed(await session.filledState());
  return await orRollBack(session, () => stage.run(session));
}

/** Does what, if it fails, rolls the cutover back: the source is writable again at once. */
export async function orRollBack<T>(session: CutoverSession, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { rollBackAfterFailure } = await import("./rollback.ts"); // stages start without what they rarely need
    await rollBackAfterFailure(session.settings, session.log);
    if (session.settings.method === "replicate") await endComparisonOf(session);
    const { frozen, settings } = session;
    if (frozen !== undefined && freezeLeft(settings, frozen) <= 0 && !(error instanceof ExpiredFreeze))
      throw new ExpiredFreeze(settings, error);
    throw error;
  }
}

async function endComparisonOf(session: CutoverSession): Promise<void> {
  const { endComparison } = await import("../replication/slots.ts");
  await endComparison(session).catch(() => {}); // the next run does it
}

import type { VerifyReport } from "../compare/verify.ts";
import { type Clients, pauseClients } from "../pgbouncer/clients.ts";
import type { Log } from "../session.ts";
import type { CutoverSettings } from "../settings.ts";
import type { CutoverRecord } from "../state/record.ts";
import { type PreFreezeReport, reportOf } from "../state/state.ts";
import { freezeSource, prepare } from "./freeze-source.ts";
import { runStage } from "./stage.ts";
import { startWatch } from "./watch.ts";

/** Pauses the clients behind PgBouncer, before the source is frozen. */
export async function reachPause(settings: CutoverSettings, log: Log = () => {}): Promise<Clients> {
  return runStage(settings, log, {
    completed: () => ({ databases: [] as string[] }) as Clients,
    run: () => {
      if (settings.pgbouncer !== undefined) startWatch(settings);
      return pauseClients(settings, log);
    },
  });
}

/**
 * Makes the target follow the source and compares both, while the source is in use: see compare-before-freeze.ts. Under
 * a freeze in force it does nothing.
 */
export async function reachPrepare(
  settings: CutoverSettings,
  log: Log = () => {},
): Promise<PreFreezeReport | null> {
  return runStage(settings, log, {
    completed: (state) => reportOf<VerifyReport>(state, "verify").ahead ?? null,
    run: prepare,
  });
}

/** Makes the source read-only, once: see freeze.ts. */
export async function reachFreeze(
  settings: CutoverSettings,
  log: Log = () => {},
): Promise<CutoverRecord["freeze"]> {
  return runStage<CutoverRecord["freeze"]>(settings, log, {
    completed: (state) => reportOf<CutoverRecord>(state, "record").freeze,
    run: freezeSource,
  });
}

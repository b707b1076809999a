import { RefusedError } from "../../util/errors.ts";
import { type Clients, redirectClients } from "../pgbouncer/clients.ts";
import { CutoverSession, type Log } from "../session.ts";
import type { CutoverSettings } from "../settings.ts";
import { readState } from "../state/state.ts";

/** Redirects the clients behind PgBouncer to the target of a completed switch, unless they have moved on from it. */
export async function resumeClients(session: CutoverSession): Promise<Clients> {
  if (!session.completed)
    throw new RefusedError(
      "The switch is not complete, so that PgBouncer's clients cannot be redirected to the target. Run ./pgstack up.",
    );
  if ((await readState(session.target, "source"))?.movedTo !== undefined) return { databases: [] };
  return redirectClients(session.settings);
}

/** The stage that follows a completed switch: see `resumeClients`. */
export async function reachResume(settings: CutoverSettings, log: Log = () => {}): Promise<Clients> {
  await using session = await CutoverSession.open(settings, log);
  return await resumeClients(session);
}

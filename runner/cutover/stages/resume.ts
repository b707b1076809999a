import { RefusedError } from "../../util/errors.ts";
import { withAdmin } from "../freeze/sessions.ts";
import { type Clients, redirectClients } from "../pgbouncer/clients.ts";
import type { Cutover } from "../settings.ts";
import { holdCutoverLock, readState } from "../state/state.ts";

/** Sends the clients behind PgBouncer to the target, which has taken over; unless they have moved on from it. */
export async function reachResume(cutover: Cutover): Promise<Clients> {
  return withAdmin(cutover.target, async (target) => {
    await holdCutoverLock(target, cutover.log);
    if ((await readState(target, "target"))?.phase !== "active")
      throw new RefusedError("The target has not taken over: its clients cannot be sent to it");
    if ((await readState(target, "source"))?.movedTo !== undefined) return { databases: [] };
    return redirectClients(cutover);
  });
}

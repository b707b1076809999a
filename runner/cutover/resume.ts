import { RefusedError } from "../user-error.ts";
import { type Clients, sendClients } from "./pgbouncer/clients.ts";
import type { Cutover } from "./request.ts";
import { withAdmin } from "./session.ts";
import { holdCutoverLock, readState } from "./state.ts";

/** Sends the clients behind PgBouncer to the target, which has taken over; unless they have moved on from it. */
export async function reachResume(cutover: Cutover): Promise<Clients> {
  return withAdmin(cutover.target, async (target) => {
    await holdCutoverLock(target, cutover.log);
    if ((await readState(target, "target"))?.phase !== "active")
      throw new RefusedError("The target has not taken over: its clients cannot be sent to it");
    if ((await readState(target, "source"))?.movedTo !== undefined) return { databases: [] };
    return sendClients(cutover);
  });
}

import { UserError } from "../user-error.ts";
import { giveBack } from "./give-back.ts";
import { leaveClients } from "./pgbouncer/clients.ts";
import { endOnSource, endReplication } from "./replicate.ts";
import type { Cutover } from "./request.ts";
import { withAdmin } from "./session.ts";
import { readState } from "./state.ts";

/**
 * Gives the source back to its clients, when a cutover ends: its resources are removed, or the whole stack. A source
 * that cannot be reached is let go only where its clients have left it for good.
 */
export async function release(cutover: Cutover): Promise<{ thawed: boolean }> {
  try {
    const thawed = await giveBack(cutover);
    await endReplication(cutover).catch(async (error: Error) => {
      await endOnSource(cutover);
      cutover.log(`warning: the target was left as it is: ${error.message}`);
    });
    leaveClients(cutover);
    return { thawed };
  } catch (error) {
    if (!(await clientsHaveLeft(cutover))) throw error;
    cutover.log(`warning: the old database was left as it is: ${(error as Error).message}`);
    leaveClients(cutover);
    return { thawed: false };
  }
}

async function clientsHaveLeft(cutover: Cutover): Promise<boolean> {
  return withAdmin(cutover.target, async (client) => {
    const state = await readState(client, "target");
    return state?.phase === "active" || state?.phase === "kept";
  }).catch((error) => {
    if (error instanceof UserError) return false;
    throw error;
  });
}

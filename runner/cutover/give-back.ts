import { thaw } from "./freeze.ts";
import { clientsAreSent, recallClients, returnClients } from "./pgbouncer/clients.ts";
import { endOnSource } from "./replicate.ts";
import type { Cutover } from "./request.ts";
import { withAdmin } from "./session.ts";
import { readState } from "./state.ts";

/**
 * Gives the source back to its clients: thaws it, then lets those behind PgBouncer go on there. Clients that have
 * been sent to the target come back only from a freeze that this stack still holds. False where it held none.
 * @param spared sessions of this run on the source
 */
export async function giveBack(cutover: Cutover, spared: readonly number[] = []): Promise<boolean> {
  const frozen = await withAdmin(cutover.source, (client) => readState(client, "source"));
  if (frozen?.holder === cutover.stack) {
    recallClients(cutover);
    if (frozen.movedTo !== undefined) await endOnSource(cutover); // nothing is to follow into what clients wrote there
  }
  const thawed = await thaw(cutover.source, cutover.stack, spared);
  if (!clientsAreSent(cutover)) await returnClients(cutover);
  return thawed;
}

/**
 * After a failure on which a switch waited: gives the source back, unless its clients have moved. It throws nothing,
 * so that the failure itself is what is reported.
 */
export async function giveBackAfterFailure(cutover: Cutover): Promise<void> {
  try {
    const frozen = await withAdmin(cutover.source, (client) => readState(client, "source"));
    if (frozen?.movedTo === undefined && (await giveBack(cutover)))
      cutover.log("the source is writable again");
  } catch (error) {
    cutover.log(`warning: the source may still be read-only: ${(error as Error).message}`);
  }
}

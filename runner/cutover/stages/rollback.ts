import { UserError } from "../../util/errors.ts";
import { unfreeze } from "../freeze/freeze.ts";
import { withAdmin } from "../freeze/sessions.ts";
import {
  clientsAreRedirected,
  forgetRollback,
  markRedirectBack,
  redirectClientsBack,
} from "../pgbouncer/clients.ts";
import { endOnSource, endReplication } from "../replication/slots.ts";
import type { Cutover } from "../settings.ts";
import { readState } from "../state/state.ts";

/**
 * Gives the source back to its clients, when a cutover ends: its resources are removed, or the whole stack. A source
 * that cannot be reached is let go only where its clients have left it for good.
 */
export async function endCutover(cutover: Cutover): Promise<{ thawed: boolean }> {
  try {
    const thawed = await rollBack(cutover);
    await endReplication(cutover).catch(async (error: Error) => {
      await endOnSource(cutover);
      cutover.log(`warning: the target was left as it is: ${error.message}`);
    });
    forgetRollback(cutover);
    return { thawed };
  } catch (error) {
    if (!(await clientsHaveLeft(cutover))) throw error;
    cutover.log(`warning: the old database was left as it is: ${(error as Error).message}`);
    forgetRollback(cutover);
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

/**
 * Gives the source back to its clients: thaws it, then lets those behind PgBouncer go on there. Clients that have
 * been sent to the target come back only from a freeze that this stack still holds. False where it held none.
 * @param spared sessions of this run on the source
 */
export async function rollBack(cutover: Cutover, spared: readonly number[] = []): Promise<boolean> {
  const frozen = await withAdmin(cutover.source, (client) => readState(client, "source"));
  if (frozen?.holder === cutover.stack) {
    markRedirectBack(cutover);
    if (frozen.movedTo !== undefined) await endOnSource(cutover); // nothing is to follow into what clients wrote there
  }
  const thawed = await unfreeze(cutover.source, cutover.stack, spared);
  if (!clientsAreRedirected(cutover)) await redirectClientsBack(cutover);
  return thawed;
}

/**
 * After a failure on which a switch waited: gives the source back, unless its clients have moved. It throws nothing,
 * so that the failure itself is what is reported.
 */
export async function rollBackAfterFailure(cutover: Cutover): Promise<void> {
  try {
    const frozen = await withAdmin(cutover.source, (client) => readState(client, "source"));
    if (frozen?.movedTo === undefined && (await rollBack(cutover)))
      cutover.log("the source is writable again");
  } catch (error) {
    cutover.log(`warning: the source may still be read-only: ${(error as Error).message}`);
  }
}

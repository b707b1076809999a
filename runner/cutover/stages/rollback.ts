import { UserError } from "../../util/errors.ts";
import { withAdmin } from "../connections.ts";
import { unfreeze } from "../freeze/freeze.ts";
import {
  clientsAreRedirected,
  forgetRollback,
  markRedirectBack,
  redirectClientsBack,
} from "../pgbouncer/clients.ts";
import { endOnSource, endReplication } from "../replication/slots.ts";
import { CutoverSession, type Log } from "../session.ts";
import type { CutoverSettings } from "../settings.ts";
import { readState } from "../state/state.ts";

/**
 * Rolls the cutover back for good: its resources are removed, or the whole stack. A source that cannot be reached is
 * let go only where its clients have left it for good.
 */
export async function endCutover(
  settings: CutoverSettings,
  log: Log = () => {},
): Promise<{ thawed: boolean }> {
  try {
    const thawed = await rollBack(settings);
    await endReplicationOfBoth(settings, log);
    forgetRollback(settings);
    return { thawed };
  } catch (error) {
    if (!(await clientsHaveLeft(settings))) throw error;
    log(`warning: the old database was left as it is: ${(error as Error).message}`);
    forgetRollback(settings);
    return { thawed: false };
  }
}

/** A target that is gone must not keep the source's log for ever. */
async function endReplicationOfBoth(settings: CutoverSettings, log: Log): Promise<void> {
  try {
    await using session = await CutoverSession.open(settings, log, "always");
    await endReplication(session);
  } catch (error) {
    await endOnSource(settings);
    log(`warning: the target was left as it is: ${(error as Error).message}`);
  }
}

async function clientsHaveLeft({ target }: CutoverSettings): Promise<boolean> {
  return withAdmin(target, async (client) => {
    const state = await readState(client, "target");
    return state?.phase === "active" || state?.phase === "kept";
  }).catch((error) => {
    if (error instanceof UserError) return false;
    throw error;
  });
}

/**
 * Unfreezes the source, then lets clients behind PgBouncer continue there. Clients that have been redirected to the target
 * come back only from a freeze that this stack still holds. False where it held none. Safe to repeat.
 * @param options sessions of this run on the source to spare; and a freeze, which alone is to end
 */
export async function rollBack(
  settings: CutoverSettings,
  options: { readonly spared?: readonly number[]; readonly only?: string | undefined } = {},
): Promise<boolean> {
  const { source, stack } = settings;
  const frozen = await withAdmin(source, (client) => readState(client, "source"));
  if (frozen?.holder === stack) {
    markRedirectBack(settings);
    if (frozen.movedTo !== undefined) await endOnSource(settings); // nothing is to follow into what clients wrote there
  }
  const unfrozen = await unfreeze(source, stack, options);
  if (!clientsAreRedirected(settings)) await redirectClientsBack(settings);
  return unfrozen;
}

/**
 * After a failure on which a switch waited: rolls back, unless the clients have moved. It throws nothing, so that the
 * failure itself is what is reported.
 */
export async function rollBackAfterFailure(settings: CutoverSettings, log: Log): Promise<void> {
  try {
    const frozen = await withAdmin(settings.source, (client) => readState(client, "source"));
    if (frozen?.movedTo === undefined && (await rollBack(settings))) log("the source is writable again");
  } catch (error) {
    log(`warning: the source may still be read-only: ${(error as Error).message}`);
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { advisoryKey, advisoryLockHolder, tryAdvisoryLock } from "../postgres/advisory-lock.ts";
import { UserError } from "../util/errors.ts";

const key = advisoryKey("pgstack cutover");
const lookEveryMs = 200;
const patienceMs = 600_000;

/**
 * Takes the right to change this database's part in a cutover, for as long as the session lives. A killed run's
 * session ends with it; a run whose engine was killed continues, and is waited for. Throws UserError after ten minutes.
 */
export async function holdCutoverLock(client: pg.Client, log: (line: string) => void): Promise<void> {
  const start = Date.now();
  for (let looks = 0; !(await tryAdvisoryLock(client, key)); looks++) {
    const holder = looks % 50 === 10 ? await advisoryLockHolder(client, key) : undefined;
    if (holder !== undefined) log(`waiting for another pgstack that is at work on this cutover: ${holder}`);
    if (Date.now() - start > patienceMs) throw await stillHeld(client);
    await sleep(lookEveryMs);
  }
}

async function stillHeld(client: pg.Client): Promise<UserError> {
  return new UserError(
    `Another pgstack has been at work on this cutover for 10 minutes: ${await advisoryLockHolder(client, key)}. ` +
      "Wait for it to end, then run this again.",
  );
}

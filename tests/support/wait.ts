import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Looks again and again until `look` finds something, and gives that. Throws after two minutes: on a busy machine
 * much takes long that takes no time elsewhere.
 * @param why what to say then
 */
export async function until<T>(
  look: () => T | Promise<T>,
  why = () => `waited in vain: ${look}`,
): Promise<Exclude<T, undefined | null | false>> {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(20)) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false)
      return found as Exclude<T, undefined | null | false>;
  }
  throw new Error(why());
}

/** Whether a process is there and has not ended: a zombie has no command line any more. */
export function runs(pid: number): boolean {
  return existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
}

import type { Call, Command } from "../cli/command.ts";
import { jsonFlag, resolveAdminTarget, stackFacts, targetFlags } from "../cli/target.ts";
import { type SideSettings, withAdmin } from "../cutover/connections.ts";
import { holdCutoverLock } from "../cutover/lock.ts";
import { writeState } from "../cutover/state/state.ts";
import { readStatus, statusLines } from "../cutover/state/status.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";

/** Where the old database is, as far as the stack's last update knew. */
function sourceOf(call: Call): SideSettings | undefined {
  if (call.flags.stack === undefined) return undefined;
  return (stackFacts(call).outputs.cutoverSource as SideSettings | null | undefined) ?? undefined;
}

async function status(call: Call): Promise<void> {
  const found = await readStatus(resolveAdminTarget(call), sourceOf(call));
  if (call.flags.json === true) call.print(JSON.stringify(found));
  else for (const line of statusLines(found)) call.print(line);
}

/** Lets the next copy replace what the database holds; it drops nothing by itself. */
async function discard(call: Call): Promise<void> {
  await withAdmin(resolveAdminTarget(call), async (client) => {
    await holdCutoverLock(client, call.log);
    await writeState(client, "target", { phase: "filling", source: "", epoch: null });
  });
  call.log("the next copy may replace what this database holds");
}

const steps: Readonly<Record<string, (call: Call) => Promise<void>>> = { status, discard };

const cutover: Command = {
  summary:
    "how far a cutover is (status); or agree that the next copy replaces the new side's contents (discard)",
  usage: "cutover status|discard (--stack S | --url URL) [--json]",
  flags: { ...targetFlags, json: jsonFlag },
  stackWord: 1,
  run: async (call) => {
    const [word = ""] = call.words;
    const step = steps[word];
    if (step === undefined || call.words.length !== 1)
      throw new RefusedError(`Expected status or discard, found "${call.words.join(" ")}"`);
    await step(call);
    return ExitCode.done;
  },
};

export default cutover;

import type { Script } from "./render.ts";
import { runOnScratch } from "./run-on-scratch.ts";
import type { ScratchDatabase } from "./scratch-database.ts";
import type { ScratchServer } from "./scratch-server.ts";

/** Runs a script on a scratch database as a migration runs: in one transaction, or each statement in its own. */
export async function runScript(
  server: ScratchServer,
  { client }: ScratchDatabase,
  script: Script,
): Promise<void> {
  if (!script.transactional) {
    for (const paragraph of script.paragraphs) await runOnScratch(server, client, paragraph);
    return;
  }
  await runOnScratch(server, client, `BEGIN;\n${script.paragraphs.join("\n\n")}\nCOMMIT`);
}

import type pg from "pg";
import { RefusedError } from "../../util/errors.ts";
import { removeWriteBlock, restoreLargeObjectWrites, setReadOnlySetting } from "../freeze/write-block.ts";
import type { Cutover } from "../settings.ts";
import { clearState, readState, type TargetState, writeState } from "../state/state.ts";
import { listContents, wipe } from "./clear-target.ts";
import { type CopyReport, copyDatabase } from "./copy.ts";

/**
 * Refuses a target that holds what no copy of ours brought there: objects of somebody's own, or writes of
 * clients after a switch. A database that was left for this source by a completed cutover may be filled: that
 * is the way back.
 */
async function assertMayLoad(client: pg.Client, cutover: Cutover, source: string): Promise<void> {
  const state = await readState(client, "target");
  const left = await readState(client, "source");
  if (left?.movedTo === source) return;
  const way = `./pgstack cutover discard --stack ${cutover.stack} agrees to the loss`;
  if (state?.phase === "active" || state?.phase === "kept")
    throw new RefusedError(
      `The target has served clients since a switch, and a copy would replace what they wrote. To move back with it, ` +
        `switch the other way round; ${way}`,
    );
  if (state !== undefined) return;
  const contents = await listContents(client);
  if (contents.length === 0) return;
  const named = contents.slice(0, 5).join(", ") + (contents.length > 5 ? ", …" : "");
  throw new RefusedError(
    `The target holds ${contents.length} objects that a copy would replace: ${named}. ${way}`,
  );
}

/** The freeze of the cutover that left this database, if any, ends with its old contents. */
async function forgetFreeze(client: pg.Client): Promise<void> {
  const left = await readState(client, "source");
  if (left === undefined) return;
  await removeWriteBlock(client);
  await restoreLargeObjectWrites(client, left.revoked);
  await setReadOnlySetting(client, left.readOnlyBefore);
  await clearState(client, "source");
}

/**
 * Empties the target, marks it as ours to fill, and copies the source into it.
 * @param epoch of the freeze that makes the copy final, or null
 * @param snapshot an exported one to copy from; without it, now
 */
export async function loadTarget(
  client: pg.Client,
  cutover: Cutover,
  source: string,
  copy: { readonly epoch: string | null; readonly snapshot?: string | undefined },
): Promise<CopyReport> {
  await assertMayLoad(client, cutover, source);
  const state: TargetState = { phase: "filling", source, epoch: copy.epoch };
  await client.query("SET session_replication_role = replica");
  await wipe(client, cutover.schemas, async () => {
    await forgetFreeze(client);
    await writeState(client, "target", state);
  });
  const report = await copyDatabase({ ...cutover, snapshot: copy.snapshot });
  await writeState(client, "target", { ...state, phase: "filled", report: { copy: report } });
  return report;
}

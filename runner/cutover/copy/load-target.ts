import type pg from "pg";
import { RefusedError } from "../../util/errors.ts";
import { withoutTriggers } from "../connections.ts";
import { removeWriteBlock, restoreLargeObjectWrites, setReadOnlySetting } from "../freeze/write-block.ts";
import type { CutoverSession } from "../session.ts";
import { clearState, readState, type TargetState } from "../state/state.ts";
import { listContents, wipe } from "./clear-target.ts";
import { type CopyReport, copyDatabase } from "./copy.ts";

/**
 * Refuses a target that holds what no copy of ours brought there: objects of somebody's own, or writes of
 * clients after a switch. A database that was left for this source by a completed cutover may be filled: that
 * is the move back.
 */
async function assertMayLoad(
  { target: client, state, settings }: CutoverSession,
  source: string,
): Promise<void> {
  const left = await readState(client, "source");
  if (left?.movedTo === source) return;
  const way = `./pgstack cutover discard --stack ${settings.stack} agrees to the loss`;
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
 * @param source its identity
 * @param copy the freeze that makes the copy final, or null; and an exported snapshot to copy from (without it, now)
 */
export async function loadTarget(
  session: CutoverSession,
  source: string,
  copy: { readonly epoch: string | null; readonly snapshot?: string | undefined },
): Promise<CopyReport> {
  const { target, settings, limited, log } = session;
  await assertMayLoad(session, source);
  const state: TargetState = { phase: "filling", source, epoch: copy.epoch, attempt: settings.attempt };
  await target.query(withoutTriggers("SESSION"));
  await wipe(target, settings.schemas, async () => {
    await forgetFreeze(target);
    await session.replaceState(state);
  });
  const report = await copyDatabase({ ...limited, snapshot: copy.snapshot }, log);
  await session.replaceState({ ...state, phase: "filled", report: { copy: report } });
  return report;
}

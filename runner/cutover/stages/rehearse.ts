import { oneRow } from "../../postgres/rows.ts";
import { RefusedError } from "../../util/errors.ts";
import { secondsSince } from "../../util/task-pool.ts";
import { differencesError, type VerifyReport, verifyDatabases } from "../compare/verify.ts";
import { backendOf, identityOf, withAdmin } from "../connections.ts";
import type { CopyReport } from "../copy/copy.ts";
import { loadTarget } from "../copy/load-target.ts";
import { describeBudget } from "../freeze/budget.ts";
import { findClientIssues, findWaitIssues } from "../pgbouncer/preflight.ts";
import { findPreflightIssues, joinIssues, missingAbilities, type PreflightIssues } from "../preflight.ts";
import { orEndReplication, refuseToReplicate, startReplication } from "../replication/follow.ts";
import { endReplication, withReplicationSlot } from "../replication/slots.ts";
import { CutoverSession, type Log } from "../session.ts";
import type { CutoverSettings } from "../settings.ts";
import { writeRecord } from "../state/record.ts";
import { rollBack } from "./rollback.ts";

/** What a rehearsal found. */
export interface RehearsalReport extends PreflightIssues {
  readonly rehearsedAt: string;
  /** The copy that the target holds now. */
  readonly copyId: string | null;
  /** Null where the target was left as it is: it holds what clients wrote after a switch. */
  readonly copy: CopyReport | null;
  readonly verify: VerifyReport | null;
  /** Seconds for which a switch would refuse writes. */
  readonly expectedDowntimeSeconds: number | null;
}

/** The freeze, its verification and the stages' own start, measured on small databases. */
const fixedSeconds = 2;

async function withExportedSnapshot<T>(
  { source }: Pick<CutoverSettings, "source">,
  use: (snapshot: string) => Promise<T>,
): Promise<T> {
  return withAdmin(source, async (holder) => {
    await holder.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    const { id } = await oneRow<{ id: string }>(holder, "SELECT pg_export_snapshot() AS id");
    return use(id);
  });
}

/**
 * After a completed switch, the target may be filled again only as long as it is still what it was at the
 * switch, which the frozen source shows. Where its sequences stand does not count: a crash moves them on.
 */
async function mayReplaceTarget(session: CutoverSession): Promise<boolean> {
  const { state, frozen, settings } = session;
  if (state?.phase === "kept") return false;
  if (state?.phase !== "active") return true;
  const compare = () =>
    withExportedSnapshot(settings, (snapshot) => verifyDatabases({ ...settings, snapshot }));
  const same = frozen?.epoch === state.epoch && (await compare()).differences.length === 0;
  await session.changeState({ phase: same ? "filled" : "kept" });
  return same;
}

/** Lends a snapshot of the source: an ordinary one, or the one at which a replication slot begins. */
async function withCopySnapshot<T>(
  settings: CutoverSettings,
  use: (snapshot: string) => Promise<T>,
): Promise<T> {
  if (settings.method === "replicate") return withReplicationSlot(settings, use);
  return withExportedSnapshot(settings, use);
}

async function copyAndVerify(session: CutoverSession): Promise<[CopyReport, VerifyReport]> {
  const { settings, source } = session;
  const identity = await identityOf(source);
  return withCopySnapshot(settings, async (snapshot) => {
    const copy = await loadTarget(session, identity, { epoch: null, snapshot });
    const verify = await verifyDatabases({ ...settings, snapshot });
    if (verify.differences.length > 0) throw differencesError(verify.differences);
    return [copy, verify];
  });
}

/** With replication only the last changes, sequences and definitions remain for the switch. */
function expectedDowntime({ method }: CutoverSettings, copied: number): number {
  const seconds = method === "replicate" ? 0 : copied;
  return Math.round((seconds + fixedSeconds) * 10) / 10;
}

/** A switch that would be rolled back, since it takes longer than a freeze may. */
function compareBudget(settings: CutoverSettings, expectedSeconds: number): PreflightIssues {
  if (settings.maxFreeze === 0 || expectedSeconds * 1000 < settings.maxFreeze)
    return { blocking: [], notes: [] };
  const text =
    `a switch would refuse writes for about ${expectedSeconds} s, longer than ${describeBudget(settings)} allows: raise it` +
    (settings.method === "copy" ? ", or use method: replicate" : "");
  return { blocking: [text], notes: [] };
}

function warn(log: Log, issues: PreflightIssues): PreflightIssues {
  for (const text of issues.blocking) log(`in the way of a switch: ${text}`);
  for (const text of issues.notes) log(`note: ${text}`);
  return issues;
}

/** A copy that would end in the middle is not begun. */
async function refuseWithoutAbilities({ source, target, settings }: CutoverSession): Promise<void> {
  const { copy } = await missingAbilities(source, target, settings);
  if (copy.length > 0) throw new RefusedError(`The source cannot be copied:\n  ${copy.join("\n  ")}`);
}

/** The source is writable from here on; its slots and publication go, so that the copy begins again. */
async function unfreezeSource(session: CutoverSession): Promise<void> {
  if (await rollBack(session.settings, { spared: [backendOf(session.source)] }))
    session.log("the source is writable again");
}

async function rehearseCopy(session: CutoverSession, found: PreflightIssues, rehearsedAt: string) {
  const { settings, log } = session;
  const start = performance.now();
  const [copy, verify] = await orEndReplication(session, async () => {
    const done = await copyAndVerify(session);
    if (settings.method === "replicate") await startReplication(session);
    return done;
  });
  const expectedDowntimeSeconds = expectedDowntime(settings, secondsSince(start));
  const waits = warn(log, await findWaitIssues(settings, expectedDowntimeSeconds));
  const budget = warn(log, compareBudget(settings, expectedDowntimeSeconds));
  const issues = joinIssues([found, waits, budget]);
  const report = { rehearsedAt, copyId: copy.id, ...issues, copy, verify, expectedDowntimeSeconds };
  writeRecord(settings.record, report);
  return report;
}

/**
 * Copies a snapshot of the source while it is in use, compares, and reports. A freeze of this stack's ends
 * first: to rehearse means that the source lives. Safe to repeat; the source is only read.
 */
export async function rehearse(settings: CutoverSettings, log: Log = () => {}): Promise<RehearsalReport> {
  await using session = await CutoverSession.open(settings, log, "always");
  const replaceable = await mayReplaceTarget(session);
  if (session.state !== undefined) await session.changeState({ attempt: settings.attempt });
  await unfreezeSource(session);
  const clients = warn(log, await findClientIssues(settings));
  const issues = warn(log, await findPreflightIssues(session.source, session.target, settings));
  const found = joinIssues([issues, clients]);
  const rehearsedAt = new Date().toISOString();
  await endReplication(session);
  if (!replaceable) return keepTarget(session, found, rehearsedAt);
  await refuseWithoutAbilities(session);
  if (settings.method === "replicate") refuseToReplicate(issues);
  return await rehearseCopy(session, found, rehearsedAt);
}

function keepTarget(session: CutoverSession, found: PreflightIssues, rehearsedAt: string): RehearsalReport {
  session.log(
    "warning: nothing was copied, since the target holds what clients wrote after the switch. To move back with it, " +
      `switch the other way round; ./pgstack cutover discard --stack ${session.settings.stack} agrees to its loss`,
  );
  return { rehearsedAt, ...found, copyId: null, copy: null, verify: null, expectedDowntimeSeconds: null };
}

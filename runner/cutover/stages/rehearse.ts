import type pg from "pg";
import { secondsSince } from "../../util/task-pool.ts";
import { differencesError, type VerifyReport, verifyDatabases } from "../compare/verify.ts";
import type { CopyReport } from "../copy/copy.ts";
import { loadTarget } from "../copy/load-target.ts";
import { freezeInForce } from "../freeze/freeze.ts";
import { backendOf, withAdmin } from "../freeze/sessions.ts";
import { findClientIssues, findWaitIssues } from "../pgbouncer/preflight.ts";
import { findPreflightIssues, joinIssues, type PreflightIssues } from "../preflight.ts";
import { follow, orEndReplication, refuseToReplicate } from "../replication/follow.ts";
import { endReplication, withReplicationSlot } from "../replication/slots.ts";
import type { Cutover } from "../settings.ts";
import { writeRecord } from "../state/record.ts";
import { holdCutoverLock, identityOf, readState, updateTarget } from "../state/state.ts";
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

/** The freeze, the proof of it and the stages' own start, measured on small databases. */
const fixedSeconds = 2;

async function withExportedSnapshot<T>(
  { source }: Cutover,
  use: (snapshot: string) => Promise<T>,
): Promise<T> {
  return withAdmin(source, async (holder) => {
    await holder.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    const { rows } = await holder.query("SELECT pg_export_snapshot() AS id");
    return use(rows[0].id);
  });
}

/**
 * After a completed switch, the target may be filled again only as long as it is still what it was at the
 * switch, which the frozen source shows. Where its sequences stand does not count: a crash moves them on.
 */
async function mayReplaceTarget(client: pg.Client, source: pg.Client, cutover: Cutover): Promise<boolean> {
  const state = await readState(client, "target");
  if (state?.phase === "kept") return false;
  if (state?.phase !== "active") return true;
  const frozen = await freezeInForce(source, cutover.stack);
  const compare = () =>
    withExportedSnapshot(cutover, (snapshot) => verifyDatabases({ ...cutover, snapshot }));
  const same = frozen?.epoch === state.epoch && (await compare()).differences.length === 0;
  await updateTarget(client, { phase: same ? "filled" : "kept" });
  return same;
}

/** Lends a snapshot of the source: an ordinary one, or the one at which a replication slot begins. */
async function withCopySnapshot<T>(cutover: Cutover, use: (snapshot: string) => Promise<T>): Promise<T> {
  if (cutover.method === "replicate") return withReplicationSlot(cutover, use);
  return withExportedSnapshot(cutover, use);
}

async function copyAndVerify(
  client: pg.Client,
  cutover: Cutover,
  identity: string,
): Promise<[CopyReport, VerifyReport]> {
  return withCopySnapshot(cutover, async (snapshot) => {
    const copy = await loadTarget(client, cutover, identity, { epoch: null, snapshot });
    const verify = await verifyDatabases({ ...cutover, snapshot });
    if (verify.differences.length > 0) throw differencesError(verify.differences);
    return [copy, verify];
  });
}

/** With replication only the last changes, sequences and definitions remain for the switch. */
function expectedDowntime({ method }: Cutover, copied: number): number {
  const seconds = method === "replicate" ? 0 : copied;
  return Math.round((seconds + fixedSeconds) * 10) / 10;
}

function warn(cutover: Cutover, obstacles: PreflightIssues): void {
  for (const text of obstacles.blocking) cutover.log(`in the way of a switch: ${text}`);
  for (const text of obstacles.notes) cutover.log(`note: ${text}`);
}

/**
 * Copies a snapshot of the source while it is in use, compares, and reports. A freeze of this stack's ends
 * first: to rehearse means that the source lives. Safe to repeat; the source is only read.
 */
export async function rehearse(cutover: Cutover): Promise<RehearsalReport> {
  return withAdmin(cutover.target, async (client) => {
    await holdCutoverLock(client, cutover.log);
    return withAdmin(cutover.source, async (source) => {
      const fillable = await mayReplaceTarget(client, source, cutover);
      if (await rollBack(cutover, [await backendOf(source)])) cutover.log("the source is writable again");
      const clients = await findClientIssues(cutover);
      warn(cutover, clients);
      const obstacles = await findPreflightIssues(source, client, cutover);
      warn(cutover, obstacles);
      const rehearsedAt = new Date().toISOString();
      await endReplication(cutover);
      if (!fillable) return keep(cutover, { rehearsedAt, ...joinIssues([obstacles, clients]) });
      if (cutover.method === "replicate") refuseToReplicate(obstacles);
      const start = performance.now();
      const [copy, verify] = await orEndReplication(cutover, async () => {
        const done = await copyAndVerify(client, cutover, await identityOf(source));
        if (cutover.method === "replicate") await follow(client, cutover);
        return done;
      });
      const expectedDowntimeSeconds = expectedDowntime(cutover, secondsSince(start));
      const waits = await findWaitIssues(cutover, expectedDowntimeSeconds);
      warn(cutover, waits);
      const found = joinIssues([obstacles, clients, waits]);
      const report = { rehearsedAt, copyId: copy.id, ...found, copy, verify, expectedDowntimeSeconds };
      writeRecord(cutover.record, report);
      return report;
    });
  });
}

function keep(cutover: Cutover, found: PreflightIssues & { rehearsedAt: string }): RehearsalReport {
  cutover.log(
    "warning: nothing was copied, since the target holds what clients wrote after the switch. To move back with it, " +
      `switch the other way round; ./pgstack cutover discard --stack ${cutover.stack} agrees to its loss`,
  );
  return { ...found, copyId: null, copy: null, verify: null, expectedDowntimeSeconds: null };
}

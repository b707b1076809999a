import type { StackConfig } from "../config/parse.ts";
import type { RehearsalReport } from "../cutover/stages/rehearse.ts";
import type { CutoverRecord } from "../cutover/state/record.ts";
import { type DumpSummary, dumpOutlook } from "../dump/ensure.ts";
import { readReport } from "../dump/report.ts";
import type { ConnectionSettings } from "../postgres/connection.ts";
import { checkRestore } from "../restore/preview.ts";
import { UserError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";
import type { CutoverRehearsal, CutoverStage, PlannedCutover, PlannedDump, PlannedRestore } from "./model.ts";

type Outputs = Readonly<Record<string, unknown>>;

/** What `up` does about the stack's dump; null where it has none. */
export async function plannedDump(
  { dump }: Pick<StackConfig, "dump">,
  stack: string,
  outputs: Outputs,
): Promise<PlannedDump | null> {
  if (dump === undefined) return null;
  const { label, when } = dump;
  const settings = { ...dump, stack, directory: projectPath(dump.directory) };
  const { path, made, last } = await dumpOutlook(
    settings,
    (outputs.dump as DumpSummary | null | undefined) ?? undefined,
  );
  const { createdAt, bytes } = last ?? {};
  return {
    label,
    when,
    path,
    made,
    last:
      last === undefined || createdAt === undefined || bytes === undefined
        ? null
        : { path: last.path, createdAt, bytes },
  };
}

/** What `up` restores; null where the stack has no restore. What it would refuse, the preview says. */
export async function plannedRestore(
  { restore, migrations, database }: Pick<StackConfig, "restore" | "migrations" | "database">,
  target: ConnectionSettings | undefined,
): Promise<PlannedRestore | null> {
  if (restore === undefined) return null;
  const request = { restore: { ...restore, owner: database.owner }, migrations };
  const outlook = await checkRestore(target, request).catch((error: unknown) => {
    if (error instanceof UserError) return undefined;
    throw error;
  });
  const { serverVersion = null, tables = 0, lost = [], missing = [] } = outlook ?? {};
  const createdAt = (await readReport(projectPath(restore.from)))?.createdAt ?? null;
  const made = outlook !== undefined || target === undefined;
  return { from: restore.from, createdAt, made, serverVersion, tables, lost, missing };
}

function stagesOf({ copy, verify }: Pick<RehearsalReport, "copy" | "verify">): CutoverStage[] {
  const copied = Object.entries(copy?.seconds ?? {}).map(([name, seconds]): CutoverStage => {
    const moves = name === "rows and indexes";
    return {
      name,
      seconds,
      rows: moves ? (copy?.rows ?? null) : null,
      bytes: moves ? (copy?.bytes ?? null) : null,
    };
  });
  if (verify === null) return copied;
  return [...copied, { name: "comparison", seconds: verify.seconds, rows: verify.rows, bytes: null }];
}

function rehearsalOf(record: unknown): CutoverRehearsal | null {
  const found = record as Partial<RehearsalReport> | null | undefined;
  if (typeof found?.rehearsedAt !== "string") return null;
  const {
    rehearsedAt,
    expectedDowntimeSeconds = null,
    blocking = [],
    notes = [],
    copy = null,
    verify = null,
  } = found;
  return { rehearsedAt, expectedDowntimeSeconds, stages: stagesOf({ copy, verify }), blocking, notes };
}

/** The stack's cutover with the figures of its last rehearsal; null where it has none. */
export function plannedCutover(
  { cutover }: Pick<StackConfig, "cutover">,
  outputs: Outputs,
): PlannedCutover | null {
  if (cutover === undefined) return null;
  const { from, state, method } = cutover;
  const last = outputs.cutover as { record?: unknown } | null | undefined;
  const completed = typeof (last?.record as Partial<CutoverRecord> | undefined)?.completedAt === "string";
  return { from, state, method, completed, rehearsal: rehearsalOf(last?.record) };
}

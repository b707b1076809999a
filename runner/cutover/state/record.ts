import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { projectPath } from "../../util/project.ts";
import type { VerifyReport } from "../compare/verify.ts";
import type { CopyReport } from "../copy/copy.ts";
import type { Cutover, CutoverMethod } from "../settings.ts";
import type { Sides } from "../stages/context.ts";
import { identityOf, reportOf, type TargetState } from "./state.ts";

interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** `system identifier/database`. */
  readonly identity: string;
}

/** Who moved what, when, and with which figures. */
export interface CutoverRecord {
  readonly stack: string;
  readonly method: CutoverMethod;
  /** The account on the machine that ran it. */
  readonly by: string;
  readonly source: Place;
  readonly target: Place;
  readonly freeze: { readonly epoch: string; readonly frozenAt: string };
  readonly completedAt: string;
  /** From the freeze to the moment the target took over. */
  readonly writeDowntimeSeconds: number;
  readonly copy: CopyReport;
  readonly verify: VerifyReport;
}

/** Writes a record or a rehearsal's report as JSON, whole or not at all. */
export function writeRecord(path: string, record: object): void {
  const file = projectPath(path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Puts together what is known of a move that ends now. */
export async function describeRecord(
  sides: Sides,
  cutover: Cutover,
  state: TargetState,
): Promise<CutoverRecord> {
  const { epoch, frozenAt } = sides.frozen;
  const completedAt = new Date().toISOString();
  const { host, port, database } = cutover.source;
  return {
    stack: cutover.stack,
    method: cutover.method,
    by: process.env.USER ?? process.env.LOGNAME ?? "unknown",
    source: { host, port, database, identity: state.source },
    target: {
      host: cutover.target.host,
      port: cutover.target.port,
      database: cutover.target.database,
      identity: await identityOf(sides.target),
    },
    freeze: { epoch, frozenAt },
    completedAt,
    writeDowntimeSeconds: (Date.parse(completedAt) - Date.parse(frozenAt)) / 1000,
    copy: reportOf<CopyReport>(state, "copy"),
    verify: reportOf<VerifyReport>(state, "verify"),
  };
}

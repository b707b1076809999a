import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { projectPath } from "../../util/project.ts";
import type { VerifyReport } from "../compare/verify.ts";
import { identityOf, type SideSettings } from "../connections.ts";
import type { CopyReport } from "../copy/copy.ts";
import type { CutoverSession } from "../session.ts";
import type { CutoverMethod } from "../settings.ts";
import { reportOf, type SourceState, type TargetState } from "./state.ts";

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
  { settings, target }: CutoverSession,
  { epoch, frozenAt }: SourceState,
  state: TargetState,
): Promise<CutoverRecord> {
  const completedAt = new Date().toISOString();
  const place = ({ host, port, database }: SideSettings) => ({ host, port, database });
  return {
    stack: settings.stack,
    method: settings.method,
    by: process.env.USER ?? process.env.LOGNAME ?? "unknown",
    source: { ...place(settings.source), identity: state.source },
    target: { ...place(settings.target), identity: await identityOf(target) },
    freeze: { epoch, frozenAt },
    completedAt,
    writeDowntimeSeconds: (Date.parse(completedAt) - Date.parse(frozenAt)) / 1000,
    copy: reportOf<CopyReport>(state, "copy"),
    verify: reportOf<VerifyReport>(state, "verify"),
  };
}

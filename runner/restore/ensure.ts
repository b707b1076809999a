import { jobsOf } from "../dump/options.ts";
import type { Output } from "../dump/progress.ts";
import { type ConnectionSettings, withClient } from "../postgres/connection.ts";
import { RefusedError } from "../util/errors.ts";
import { recordedRestore } from "./record.ts";
import type { RestoreReport } from "./report.ts";
import { restoreDump } from "./restore.ts";

/** What a refusal tells people to set. */
export const overwriteFlag = "set restore.overwrite: true";

/** A stack's restore as its resource sends it. */
export interface RestoreSettings {
  /** Relative to the project's root, where resources run, or absolute. */
  readonly from: string;
  readonly sha256?: string | undefined;
  readonly owner: string;
  readonly jobs: string | number;
  readonly overwrite: boolean;
  readonly sanitize?: string | undefined;
}

/** Reads the JSON that the resource sends. Throws RefusedError naming what is missing. */
export function parseRestoreSettings(json: string): RestoreSettings {
  const value = JSON.parse(json) as Partial<RestoreSettings>;
  const missing = (["from", "owner"] as const).filter((name) => value[name] === undefined);
  if (missing.length > 0) throw new RefusedError(`Settings of a restore lack ${missing.join(", ")}`);
  return { ...(value as RestoreSettings), jobs: value.jobs ?? "auto", overwrite: value.overwrite ?? false };
}

/** True where the settings ask for that very dump. */
export function asksFor(
  { from, sha256 }: Pick<RestoreSettings, "from" | "sha256">,
  done: Pick<RestoreReport, "path" | "sha256">,
): boolean {
  return done.path === from && (sha256 === undefined || done.sha256 === sha256);
}

/**
 * Sees to it that the database comes from that dump. It does when the resource's last run printed so for this
 * database, or when the database itself says so (a run that was killed before its result was kept).
 * @param previous what the resource's last run printed
 */
export async function ensureRestore(
  target: ConnectionSettings,
  settings: RestoreSettings,
  previous: RestoreReport | undefined,
  output: Output,
  signal: AbortSignal,
): Promise<RestoreReport> {
  if (previous?.database === target.database && asksFor(settings, previous)) return previous;
  const recorded = await withClient(target, (client) => recordedRestore<RestoreReport>(client));
  if (recorded !== undefined && asksFor(settings, recorded)) return recorded.report;
  return restoreDump(
    {
      target,
      path: settings.from,
      owner: settings.owner,
      jobs: jobsOf(settings.jobs),
      sha256: settings.sha256,
      sanitize: settings.sanitize,
      overwrite: settings.overwrite,
      overwriteFlag,
      record: true,
    },
    output,
    signal,
  );
}

import * as v from "valibot";
import { Restore } from "../config/restore.ts";
import { jobsOf } from "../dump/options.ts";
import { type ConnectionSettings, withClient } from "../postgres/connection.ts";
import { parseRequest } from "../util/request.ts";
import { recordedRestore } from "./record.ts";
import type { RestoreReport } from "./report.ts";
import type { RunControl } from "./request.ts";
import { restoreDump } from "./restore.ts";

/** What a refusal tells people to set. */
export const overwriteFlag = "set restore.overwrite: true";

/** A stack's restore as its resource sends it: `pgstack:restore` and who owns everything afterwards. */
const RestoreSettings = v.object({ owner: v.string(), ...Restore.entries });
export type RestoreSettings = v.InferOutput<typeof RestoreSettings>;

/** Reads the JSON that the resource sends. Throws RefusedError naming each member that is wrong. */
export function parseRestoreSettings(json: string): RestoreSettings {
  return parseRequest(RestoreSettings, json, "the settings of a restore");
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
  control: RunControl,
): Promise<RestoreReport> {
  if (previous?.database === target.database && asksFor(settings, previous)) return previous;
  const recorded = await withClient(target, (client) => recordedRestore<RestoreReport>(client));
  if (recorded !== undefined && asksFor(settings, recorded)) return recorded.report;
  const request = {
    target,
    path: settings.from,
    owner: settings.owner,
    jobs: jobsOf(settings.jobs),
    sha256: settings.sha256,
    sanitize: settings.sanitize,
    overwrite: settings.overwrite,
    overwriteFlag,
    record: true,
  };
  return restoreDump(request, control);
}

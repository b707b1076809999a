import { join } from "node:path";
import * as v from "valibot";
import { Dump } from "../config/dump.ts";
import type { ConnectionSettings } from "../postgres/connection.ts";
import { RefusedError } from "../util/errors.ts";
import { parseRequest } from "../util/request.ts";
import { prune, removeDump, stackReports, verify } from "./backups.ts";
import { makeDump } from "./dump.ts";
import { recoverRenames } from "./files/recover.ts";
import { type DumpOptions, jobsOf } from "./options.ts";
import type { Output } from "./progress.ts";
import { type DumpReport, summaryOf } from "./report.ts";

/** A stack's dump as its resource sends it: `pgstack:dump` and the stack's name. */
const DumpSettings = v.object({ stack: v.string(), ...Dump.entries });
export type DumpSettings = v.InferOutput<typeof DumpSettings>;

/** A report as the resource keeps it. */
export type DumpSummary = Omit<DumpReport, "tableRows">;

/** Reads the JSON that the resource sends. Throws RefusedError naming each member that is wrong. */
export function parseDumpSettings(json: string): DumpSettings {
  return parseRequest(DumpSettings, json, "the settings of a dump");
}

function optionsOf({ format, jobs, compression }: DumpSettings): DumpOptions {
  const whole = { schemaOnly: false, tables: [], excludeTableData: [] };
  return { ...whole, format, jobs: jobsOf(jobs), compression };
}

function pathOf({ stack, label, directory, format }: DumpSettings): string {
  return join(directory, `${stack}-${label}${format === "custom" ? ".dump" : ".dir"}`);
}

/** The stack's dump with that label, where there is one. */
async function existing({ directory, stack, label }: DumpSettings): Promise<DumpReport | undefined> {
  for (const backup of await stackReports(directory, stack)) {
    if (backup.report.label !== label) continue;
    const state = await verify(backup);
    if (state === "verified") return backup.report;
    if (state === "damaged")
      throw new RefusedError(
        `The dump "${label}" at ${backup.path} is not as it was when it was made. Remove it, or choose another label.`,
      );
  }
  return undefined;
}

/** What a stack's next update does about its dump. */
export interface DumpOutlook {
  readonly path: string;
  /** Whether it is made: no dump of that label is known or there. */
  readonly made: boolean;
  /** The stack's newest dump that is in the folder. */
  readonly last: DumpReport | undefined;
}

/** Says what `ensureDump` would do; it reads reports, and no dump. */
export async function dumpOutlook(
  settings: DumpSettings,
  previous: Pick<DumpSummary, "label" | "stack"> | undefined,
): Promise<DumpOutlook> {
  const { label, stack, directory } = settings;
  const reports = await stackReports(directory, stack);
  const known = previous?.label === label && previous.stack === stack;
  const made = !known && !reports.some(({ report }) => report.label === label);
  return { path: pathOf(settings), made, last: reports[0]?.report };
}

/** Whom a stack's dump is read as. */
export interface DumpLogins {
  readonly source: ConnectionSettings;
  /** The database's owner, where the login is known. */
  readonly owner: ConnectionSettings | undefined;
  /** What the resource's last run printed. */
  readonly previous: DumpSummary | undefined;
}

/**
 * Sees to it that the labelled dump exists, and makes it only where the label is new: neither a repeated call nor
 * another machine, which has no copy of the file, dumps again.
 */
export async function ensureDump(
  settings: DumpSettings,
  { source, owner, previous }: DumpLogins,
  output: Output,
  signal: AbortSignal,
): Promise<DumpSummary> {
  if (previous?.label === settings.label && previous.stack === settings.stack) return previous;
  const path = pathOf(settings);
  for (const done of await recoverRenames(path)) output.log(done);
  const found = await existing(settings);
  if (found !== undefined) return summaryOf(found);
  const request = {
    source,
    owner,
    path,
    options: optionsOf(settings),
    label: settings.label,
    stack: settings.stack,
    overwrite: true, // a dump without a report is what a run left that was killed after the rename
  };
  const report = await makeDump(request, output, signal);
  if (settings.keep !== undefined)
    for (const old of await prune(settings.directory, settings.stack, settings.keep))
      output.log(`removed ${old}, beyond the newest ${settings.keep}`);
  return summaryOf(report);
}

/** Removes the dump with that label, and its report. */
export async function deleteDump({ directory, stack, label }: DumpSettings): Promise<string[]> {
  const reports = await stackReports(directory, stack);
  const paths = reports.filter(({ report }) => report.label === label).map(({ path }) => path);
  for (const path of paths) await removeDump(path);
  return paths;
}

import { join } from "node:path";
import type { ConnectionSettings } from "../postgres/connection.ts";
import { RefusedError } from "../util/errors.ts";
import { prune, removeDump, stackReports, verify } from "./backups.ts";
import { makeDump } from "./dump.ts";
import { settle } from "./files/recover.ts";
import { compressionOf, type DumpFormat, type DumpOptions, formatOf, jobsOf } from "./options.ts";
import type { Output } from "./progress.ts";
import { type DumpReport, summaryOf } from "./report.ts";

/** A stack's dump as its resource sends it. */
export interface DumpSettings {
  readonly stack: string;
  readonly label: string;
  /** Relative to the project's root, where resources run, or absolute. */
  readonly directory: string;
  readonly format: DumpFormat;
  readonly jobs: string | number;
  readonly compression: string;
  readonly keep: number | undefined;
}

/** A report as the resource keeps it. */
export type DumpSummary = Omit<DumpReport, "tableRows">;

/** Reads the JSON that the resource sends. Throws RefusedError naming what is missing. */
export function parseDumpSettings(json: string): DumpSettings {
  const value = JSON.parse(json) as Partial<DumpSettings>;
  const missing = (["stack", "label", "directory", "format", "jobs", "compression"] as const).filter(
    (name) => value[name] === undefined,
  );
  if (missing.length > 0) throw new RefusedError(`Settings of a dump lack ${missing.join(", ")}`);
  return { ...(value as DumpSettings), format: formatOf(String(value.format)) };
}

function optionsOf({ format, jobs, compression }: DumpSettings): DumpOptions {
  const whole = { schemaOnly: false, tables: [], excludeTableData: [] };
  return { ...whole, format, jobs: jobsOf(jobs), compression: compressionOf(compression) };
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

/**
 * Sees to it that the labelled dump exists, and makes it only where the label is new: neither a repeated call nor
 * another machine, which has no copy of the file, dumps again.
 * @param previous what the resource's last run printed
 */
export async function ensureDump(
  source: ConnectionSettings,
  settings: DumpSettings,
  previous: DumpSummary | undefined,
  output: Output,
  signal: AbortSignal,
): Promise<DumpSummary> {
  if (previous?.label === settings.label && previous.stack === settings.stack) return previous;
  for (const done of await settle(pathOf(settings))) output.log(done);
  const found = await existing(settings);
  if (found !== undefined) return summaryOf(found);
  const request = {
    ...{ source, path: pathOf(settings), options: optionsOf(settings) },
    ...{ label: settings.label, stack: settings.stack },
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

import type { Call, Command } from "../cli/command.ts";
import { flagValue } from "../cli/flag-value.ts";
import { jsonFlag, resolveAdminTarget, resolveTarget, targetFlags } from "../cli/target.ts";
import { Dump } from "../config/dump.ts";
import { makeDump } from "../dump/dump.ts";
import { type DumpOptions, jobsOf } from "../dump/options.ts";
import { formatBytes } from "../dump/progress.ts";
import { type DumpReport, summaryOf } from "../dump/report.ts";
import type { ConnectionSettings } from "../postgres/connection.ts";
import { withInterrupt } from "../postgres/run-program.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";

function optionsOf(call: Call): DumpOptions {
  const { format, jobs, compression } = Dump.entries;
  const { flags } = call;
  return {
    format: flagValue(format, call, "format"),
    jobs: jobsOf(flagValue(jobs, call, "jobs")),
    compression: flagValue(compression, call, "compression"),
    schemaOnly: flags["schema-only"] === true,
    tables: (flags.table as string[] | undefined) ?? [],
    excludeTableData: (flags["exclude-table-data"] as string[] | undefined) ?? [],
  };
}

/** A stack's owner, where its password is known: reads what an ordinary administrator may not. */
function ownerOf(call: Call): ConnectionSettings | undefined {
  if (call.flags.stack === undefined) return undefined;
  const owner = resolveTarget(call);
  return owner.password === undefined ? undefined : owner;
}

/** A finished dump in a few lines. */
export function dumpText(report: DumpReport): string {
  return [
    `${report.path}: ${report.tables} tables, ${report.rows} rows, ${formatBytes(report.bytes)}, ${report.seconds.toFixed(1)} s`,
    `sha256 ${report.sha256}`,
    ...report.leftOut.map((name) => `left out: ${name}`),
    ...(report.missing ?? []).map((name) => `needed, and not in the dump: ${name}`),
  ].join("\n");
}

const dump: Command = {
  summary: "writes a dump of a database, and reads it back whole",
  usage:
    "dump (--stack S | --url URL) --out PATH [--format custom|directory] [--jobs auto|max|N] [--compression none|gzip:1-9|zstd|lz4] " +
    "[--schema-only] [--table PATTERN] [--exclude-table-data PATTERN] [--overwrite] [--json]",
  flags: {
    ...targetFlags,
    out: { type: "string", value: "PATH", about: "where the dump goes" },
    format: { type: "string", value: "FORMAT", about: "custom (one file) or directory" },
    jobs: { type: "string", value: "N", about: "how many streams side by side: auto, max or a number" },
    compression: { type: "string", value: "KIND", about: "none, gzip:1-9, zstd or lz4" },
    "schema-only": { type: "boolean", about: "definitions without rows" },
    table: { type: "string", multiple: true, value: "PATTERN", about: "only these tables; may be repeated" },
    "exclude-table-data": {
      type: "string",
      multiple: true,
      value: "PATTERN",
      about: "leave out the rows of these tables; may be repeated",
    },
    overwrite: { type: "boolean", about: "replace a dump that is there" },
    json: jsonFlag,
  },
  stackWord: 0,
  run: async (call) => {
    const path = call.flags.out;
    if (typeof path !== "string" || path === "")
      throw new RefusedError("--out PATH is needed: where the dump goes");
    const request = {
      source: resolveAdminTarget(call),
      owner: ownerOf(call),
      path: path.replace(/(?<=.)\/+$/, ""),
      options: optionsOf(call),
      label: null,
      stack: typeof call.flags.stack === "string" ? call.flags.stack : null,
      overwrite: call.flags.overwrite === true,
    };
    const report = await withInterrupt((signal) => makeDump(request, call, signal));
    call.print(call.flags.json === true ? JSON.stringify(summaryOf(report)) : dumpText(report));
    return ExitCode.done;
  },
};

export default dump;

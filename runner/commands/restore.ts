import type { Call, Command } from "../cli/command.ts";
import { flagValue } from "../cli/flag-value.ts";
import { jsonFlag, resolveAdminTarget, stackFacts, targetFlags } from "../cli/target.ts";
import { Restore } from "../config/restore.ts";
import { jobsOf } from "../dump/options.ts";
import { formatBytes } from "../dump/progress.ts";
import { historyTable } from "../migrations/history/history.ts";
import { withInterrupt } from "../postgres/run-program.ts";
import { type CaughtUp, catchUp, planCatchUp } from "../restore/after-restore.ts";
import type { RestoreReport } from "../restore/report.ts";
import type { RestoreRequest } from "../restore/request.ts";
import { restoreDump } from "../restore/restore.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";

function ownerOf(call: Call): string {
  if (typeof call.flags.owner === "string") return call.flags.owner;
  if (call.flags.url !== undefined)
    throw new RefusedError("--owner ROLE is needed with --url: who owns everything after the restore");
  return stackFacts(call).outputs.owner as string;
}

/** The script of `--sanitize`, or the one that the stack's own restores run. */
function sanitizeOf(call: Call): string | undefined {
  if (typeof call.flags.sanitize === "string") return call.flags.sanitize;
  if (call.flags.stack === undefined) return undefined;
  const { sanitize } = (stackFacts(call).config.restore ?? {}) as { sanitize?: string };
  return sanitize === undefined ? undefined : projectPath(sanitize);
}

function requestOf(call: Call): RestoreRequest {
  const { jobs, sha256 } = Restore.entries;
  const [path, ...more] = call.words;
  if (path === undefined || more.length > 0)
    throw new RefusedError(`Expected one PATH: ./pgstack ${restore.usage}`);
  return {
    target: resolveAdminTarget(call),
    path,
    owner: ownerOf(call),
    jobs: jobsOf(flagValue(jobs, call, "jobs")),
    sha256: flagValue(sha256, call, "sha256"),
    sanitize: sanitizeOf(call),
    overwrite: call.flags.overwrite === true,
    record: false,
    overwriteFlag: "--overwrite",
  };
}

/** What was restored and what was not, in a few lines. */
export function restoreText(report: RestoreReport): string {
  return [
    `${report.path} → database "${report.database}": ${report.tables} tables, ${report.rows} rows, ` +
      `${formatBytes(report.bytes)}, ${report.seconds.toFixed(1)} s; everything belongs to "${report.owner}"`,
    ...report.leftOut.map((name) => `left out: ${name}`),
    ...report.notes.map((note) => `note: ${note}`),
    ...report.incomplete.map((name) => `not restored: ${name}`),
  ].join("\n");
}

/** What followed on a stack. */
function catchUpText({ applied, head }: CaughtUp): string {
  const now = applied.length === 0 ? "no migration was missing" : `applied ${applied.join(", ")}`;
  return `${now}; head ${head ?? "none"}; every role's rights are verified`;
}

const restore: Command = {
  summary: "replaces a database's content by a dump; its roles, rights and settings stay",
  usage:
    "restore PATH (--stack S | --url URL) [--owner ROLE] [--jobs auto|max|N] [--sha256 SUM] [--sanitize FILE] [--overwrite] [--json]",
  flags: {
    ...targetFlags,
    owner: {
      type: "string",
      value: "ROLE",
      about: "who owns everything afterwards (default: the stack's owner)",
    },
    jobs: { type: "string", value: "N", about: "how many streams side by side: auto, max or a number" },
    sha256: { type: "string", value: "SUM", about: "the sum that the dump must have" },
    sanitize: { type: "string", value: "FILE", about: "an SQL script that runs before anybody may connect" },
    overwrite: { type: "boolean", about: "replace objects that the dump does not hold" },
    json: jsonFlag,
  },
  stackWord: 1,
  run: async (call) => {
    const plan = call.flags.stack === undefined ? undefined : await planCatchUp(call); // refuses before all else
    const history = plan && historyTable(plan.settings.table);
    const request = { ...requestOf(call), history };
    const report = await withInterrupt((signal) => restoreDump(request, { output: call, signal }));
    let migrations: CaughtUp | undefined;
    try {
      if (call.flags.json !== true) call.print(restoreText(report));
      migrations = plan && (await catchUp(plan, call.log));
      if (call.flags.json !== true && migrations) call.print(catchUpText(migrations));
    } finally {
      if (call.flags.json === true)
        call.print(JSON.stringify({ ...report, ...(migrations && { migrations }) }));
    }
    return report.incomplete.length === 0 ? ExitCode.done : ExitCode.differs;
  },
};

export default restore;

import * as v from "valibot";
import type { Call, Command } from "../cli/command.ts";
import { databaseFlag, jsonFlag, stackFacts, stackFlag } from "../cli/target.ts";
import { Dump } from "../config/dump.ts";
import { type Backup, stackReports, verify } from "../dump/backups.ts";
import { recoverRenames } from "../dump/files/recover.ts";
import { pathsWithLeftovers } from "../dump/files/temporary-names.ts";
import { formatBytes } from "../dump/progress.ts";
import { summaryOf } from "../dump/report.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";

function directoryOf(call: Call): string {
  if (typeof call.flags.directory === "string") return call.flags.directory;
  const { directory } = (stackFacts(call).config.dump ?? {}) as { directory?: string };
  return projectPath(directory ?? v.getDefault(Dump.entries.directory));
}

/** The time since, in its largest whole unit. */
export function formatAge(since: string, now: number): string {
  const minutes = Math.max(0, Math.floor((now - Date.parse(since)) / 60_000));
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / 1440)} d`;
}

function line({ path, report, state }: Backup): string {
  const age = formatAge(report.createdAt, Date.now());
  return [path, report.label ?? "by hand", age, formatBytes(report.bytes), report.sha256, state].join("\t");
}

const backups: Command = {
  summary: "lists a stack's dumps and reads each again",
  usage: "backups --stack S [--directory DIR] [--json]",
  flags: {
    stack: stackFlag,
    database: databaseFlag,
    directory: {
      type: "string",
      value: "DIR",
      about: "where the dumps are (default: the stack's own folder)",
    },
    json: jsonFlag,
  },
  stackWord: 0,
  run: async (call) => {
    const { stack } = call.flags;
    if (typeof stack !== "string") throw new RefusedError("--stack S is needed: whose dumps are listed");
    const found: Backup[] = [];
    for (const path of await pathsWithLeftovers(directoryOf(call)))
      for (const done of await recoverRenames(path)) call.log(done);
    for (const one of await stackReports(directoryOf(call), stack))
      found.push({ ...one, state: await verify(one) });
    if (call.flags.json === true)
      call.print(
        JSON.stringify({
          backups: found.map(({ path, report, state }) => ({ ...summaryOf(report), path, state })),
        }),
      );
    else for (const one of found) call.print(line(one));
    if (found.length === 0) call.log(`no dumps of stack "${stack}" in ${directoryOf(call)}`);
    return found.every(({ state }) => state === "verified") ? ExitCode.done : ExitCode.differs;
  },
};

export default backups;

import type { Call, Command } from "../cli/command.ts";
import { jsonFlag, stackFacts } from "../cli/target.ts";
import { accessOf, filesOf, migrationFlags, settingsOf } from "../migrations/cli-options.ts";
import { type Expected, readStatus, type Status, type StatusRow } from "../migrations/status.ts";
import { ExitCode } from "../util/errors.ts";

function expectedOf(call: Call): Expected | undefined {
  if (call.flags.stack === undefined) return undefined;
  return stackFacts(call).outputs.migrations as Expected | undefined;
}

function line({ name, state, appliedAt, appliedBy, milliseconds }: StatusRow, width: number): string {
  const when =
    appliedAt === undefined
      ? ""
      : `${appliedAt.slice(0, 19).replace("T", " ")}Z  ${milliseconds?.toFixed(0)} ms  ${appliedBy}`;
  return `${name.padEnd(width)}  ${state.padEnd(13)}  ${when}`.trimEnd();
}

function render({ migrations, applied, pending, head, database }: Status): string {
  const width = Math.max(0, ...migrations.map(({ name }) => name.length));
  const summary = `${database}: ${applied} applied, ${pending} pending, head ${head ?? "none"}`;
  return [...migrations.map((row) => line(row, width)), summary].join("\n");
}

const status: Command = {
  summary:
    "every migration: applied, pending, edited, unknown, out of order; exit code 3 when not all is applied",
  usage: "status (--stack S | --url URL) [--json] [--directory DIR] [--table SCHEMA.TABLE]",
  flags: { ...migrationFlags, json: jsonFlag },
  stackWord: 0,
  run: async (call) => {
    const settings = settingsOf(call);
    const found = await readStatus(accessOf(call), await filesOf(settings), settings, expectedOf(call));
    call.print(call.flags.json === true ? JSON.stringify(found) : render(found));
    for (const { message } of [...found.findings, ...found.warnings]) call.log(message);
    return found.clean ? ExitCode.done : ExitCode.differs;
  },
};

export default status;

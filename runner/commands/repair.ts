import type { Call, Command } from "../cli/command.ts";
import { jsonFlag } from "../cli/target.ts";
import { accessOf, filesOf, migrationFlags, settingsOf } from "../migrations/cli-options.ts";
import { type RepairRequest, repairEdited, repairProgress } from "../migrations/history/repair.ts";
import { compareNames, resolveTarget } from "../migrations/plan/order.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";

/** The migration that a name, a revision or the unique beginning of a name means. Throws RefusedError where there is none. */
function wholeName(word: string, { files }: RepairRequest): string {
  const names = files.map(({ name }) => name).sort(compareNames);
  return names.includes(word) ? word : (names[resolveTarget(word, names) - 1] ?? word);
}

async function goOn(request: RepairRequest, call: Call, name: string | undefined): Promise<ExitCode> {
  const next = Number(call.flags.next);
  if (name === undefined || !Number.isInteger(next) || next < 1)
    throw new RefusedError(
      "Expected a migration's name and, after --next, the number of the statement to continue with.",
    );
  await repairProgress(request, name, next);
  call.print(`${name} continues at statement ${next} with the next run`);
  return ExitCode.done;
}

const repair: Command = {
  summary: "accepts the present text of an edited migration that is applied, after showing it",
  usage:
    "repair [NAME] (--stack S | --url URL) [--yes] [--next STATEMENT] [--json] [--directory DIR] [--table SCHEMA.TABLE]",
  flags: {
    ...migrationFlags,
    yes: { type: "boolean", short: "y", about: "accept the present text" },
    next: {
      type: "string",
      value: "STATEMENT",
      about: "continue at this statement of a migration that stopped",
    },
    json: jsonFlag,
  },
  stackWord: 1,
  run: async (call) => {
    const [word, ...more] = call.words;
    if (more.length > 0)
      throw new RefusedError(`Expected one migration's name, found ${call.words.join(", ")}`);
    const settings = settingsOf(call);
    const request = { access: accessOf(call), files: await filesOf(settings), settings, log: call.log };
    const name = word === undefined ? undefined : wholeName(word, request);
    if (call.flags.next !== undefined) return goOn(request, call, name);
    const accept = call.flags.yes === true;
    const edited = await repairEdited(request, name, accept);
    if (edited.length > 0 && !accept)
      throw new RefusedError(`Nothing was changed. To take the present text for what was applied: --yes`);
    if (call.flags.json === true) call.print(JSON.stringify({ accepted: edited }));
    else
      call.print(
        edited.length === 0 ? "nothing was edited" : `accepted the present text of ${edited.join(", ")}`,
      );
    return ExitCode.done;
  },
};

export default repair;

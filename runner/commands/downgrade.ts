import type { Command } from "../cli/command.ts";
import { accessWithoutStack, runFlags, runUsage, settingsOf } from "../migrations/cli-options.ts";
import { resolveTarget } from "../migrations/plan/order.ts";
import { revertMigrations } from "../migrations/run/revert.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";

const downgrade: Command = {
  summary: "reverts what was applied after REV (a revision, the beginning of its name, -N, 0), newest first",
  usage: `downgrade REV (--url URL | --stack S) ${runUsage}`,
  flags: runFlags,
  stackWord: 1,
  run: async (call) => {
    const [to, ...more] = call.words;
    if (to === undefined || more.length > 0)
      throw new RefusedError(
        "Expected one revision to go back to: a name, the unique beginning of one, -1 or 0.",
      );
    const request = { access: accessWithoutStack(call), settings: settingsOf(call), log: call.log };
    const reverted = await revertMigrations(request, (applied) =>
      applied.slice(resolveTarget(to, applied)).reverse(),
    );
    call.print(call.flags.json === true ? JSON.stringify({ reverted }) : `${reverted.length} reverted`);
    return ExitCode.done;
  },
};

export default downgrade;

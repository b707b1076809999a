import type { Command } from "../cli/command.ts";
import { accessWithoutStack, filesOf, runFlags, runUsage, settingsOf } from "../migrations/cli-options.ts";
import { resolveTarget } from "../migrations/plan/order.ts";
import { sequenceOf } from "../migrations/plan/plan.ts";
import { applyMigrations } from "../migrations/run/apply.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";

const upgrade: Command = {
  summary: "applies migrations to a database, up to REV (a revision, the beginning of its name, +N, latest)",
  usage: `upgrade [REV] (--url URL | --stack S) ${runUsage}`,
  flags: runFlags,
  stackWord: 1,
  run: async (call) => {
    const [to = "latest", ...more] = call.words;
    if (more.length > 0)
      throw new RefusedError(
        "Expected at most one revision: a name, the unique beginning of one, +1 or latest.",
      );
    const settings = settingsOf(call);
    const { applied, history } = await applyMigrations({
      access: accessWithoutStack(call),
      files: filesOf(settings),
      kept: (history, files) => {
        const sequence = sequenceOf(files, history);
        const done = new Set(history.rows.map(({ name }) => name));
        const present = sequence.filter((name) => done.has(name)).length;
        return new Set(sequence.slice(0, resolveTarget(to, sequence, present)));
      },
      settings,
      leaving: new Set(),
      log: call.log,
    });
    const head = history.rows.at(-1)?.name ?? null;
    call.print(
      call.flags.json === true
        ? JSON.stringify({ applied, head })
        : `${applied.length} applied, head ${head ?? "none"}`,
    );
    return ExitCode.done;
  },
};

export default upgrade;

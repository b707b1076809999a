import { giveBackAfterFailure } from "../cutover/stages/rollback.ts";
import { parseCutover } from "../cutover/settings.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";
import { resourceVerbs } from "../commands/index.ts";

/** What a stack's resources say of the cutover that waits for them. */
interface Waiting {
  readonly settings: string;
  readonly environment: Readonly<Record<string, string>>;
}

const orBack: Verb = {
  summary:
    "runs another verb, on which a switch waits; where it fails, the source is given back to its clients",
  usage: "cutover-or-back VERB, with PGSTACK_CUTOVER in the environment",
  flags: {},
  run: async (call) => {
    const load = resourceVerbs[call.words[0] ?? ""];
    if (load === undefined) throw new RefusedError(`Expected a resource's verb, found "${call.words[0]}"`);
    const verb = (await load()).default;
    const { settings, environment }: Waiting = JSON.parse(call.env.PGSTACK_CUTOVER ?? "{}");
    const cutover = parseCutover(settings, environment, call.log);
    let code: ExitCode = ExitCode.failed;
    try {
      code = await verb.run({ ...call, words: call.words.slice(1) });
      return code;
    } finally {
      if (code !== ExitCode.done) await giveBackAfterFailure(cutover);
    }
  },
};

export default orBack;

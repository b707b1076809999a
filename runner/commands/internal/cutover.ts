import * as v from "valibot";
import { type Command, queryCommand } from "../../cli/command.ts";
import { withAdmin } from "../../cutover/connections.ts";
import type { Log } from "../../cutover/session.ts";
import { type CutoverSettings, parseCutover } from "../../cutover/settings.ts";
import { reachComplete, reachCopy, reachVerify } from "../../cutover/stages/after-freeze.ts";
import { reachFreeze, reachPause, reachPrepare } from "../../cutover/stages/before-freeze.ts";
import { rehearse } from "../../cutover/stages/rehearse.ts";
import { reachResume } from "../../cutover/stages/resume.ts";
import { endCutover, rollBackAfterFailure } from "../../cutover/stages/rollback.ts";
import { readState } from "../../cutover/state/state.ts";
import { connectionFromEnvironment } from "../../postgres/connection.ts";
import { ExitCode, RefusedError, UserError } from "../../util/errors.ts";
import { parseRequest } from "../../util/request.ts";

const cutoverFreeze = cutoverCommand(
  "cutover-freeze",
  "makes the source read-only and verifies it",
  reachFreeze,
);

/** What a stack's program asks about its cutover. */
export interface CutoverCheck {
  /** Of the switch that was completed here; null where none was, or where nobody knows. */
  readonly attempt: string | null;
}

const cutoverCheck = queryCommand<object>(
  "cutover-check",
  "tells by which attempt a switch was completed, if it was",
  async (_, environment): Promise<CutoverCheck> => {
    const target = connectionFromEnvironment(environment);
    const state = await withAdmin(target, (client) => readState(client, "target")).catch((error) => {
      if (error instanceof UserError) return undefined;
      throw error;
    });
    return { attempt: state?.phase === "active" ? (state.attempt ?? "") : null };
  },
);

const cutoverVerify = cutoverCommand("cutover-verify", "compares both sides", reachVerify);

const cutoverThaw = cutoverCommand(
  "cutover-thaw",
  "rolls the cutover back: the source is as it was before the freeze",
  endCutover,
);

const cutoverResume = cutoverCommand(
  "cutover-resume",
  "redirects the clients behind PgBouncer to the target",
  reachResume,
);

const cutoverRehearse = cutoverCommand(
  "cutover-rehearse",
  "copies a snapshot of the source, compares, and reports what a switch would take",
  rehearse,
);

const cutoverPrepare = cutoverCommand(
  "cutover-prepare",
  "copies and compares as far as that can be done before the freeze",
  async (settings, log) => ({ ahead: await reachPrepare(settings, log) }),
);

const cutoverPause = cutoverCommand("cutover-pause", "pauses the clients behind PgBouncer", reachPause);

const cutoverCopy = cutoverCommand("cutover-copy", "copies the frozen source", reachCopy);

const cutoverComplete = cutoverCommand(
  "cutover-complete",
  "switches over: clients belong to the target from here on",
  reachComplete,
);

/** A command's request, and the settings of the cutover that waits for it; the cutover's environment is in PGSTACK_CUTOVER. */
const Guarded = v.object({
  cutover: v.string("the cutover's settings"),
  request: v.string("the command's request"),
});

const Environment = v.record(v.string(), v.string("a text"));

const cutoverOrBack: Command = {
  summary: "runs another command, on which a switch waits; where it fails, the cutover is rolled back",
  usage: "cutover-or-back COMMAND < GUARDED, with PGSTACK_CUTOVER in the environment",
  flags: {},
  run: async (call) => {
    const [name = "", ...words] = call.words;
    const command = await call.internal(name);
    if (command === undefined) throw new RefusedError(`Expected an internal command, found "${name}"`);
    const guarded = parseRequest(Guarded, await call.stdin(), "a command's request and a cutover's settings");
    const environment = parseRequest(
      Environment,
      call.env.PGSTACK_CUTOVER ?? "{}",
      "a cutover's environment",
    );
    const cutover = parseCutover(guarded.cutover, environment);
    let code: ExitCode = ExitCode.failed;
    try {
      code = await command.run({ ...call, words, stdin: async () => guarded.request });
      return code;
    } finally {
      if (code !== ExitCode.done) await rollBackAfterFailure(cutover, call.log);
    }
  },
};

/** A command that a cutover's resource calls: settings as JSON on standard input, its result as JSON on standard output. */
export function cutoverCommand(
  name: string,
  summary: string,
  stage: (settings: CutoverSettings, log: Log) => Promise<object>,
): Command {
  return {
    summary,
    usage: `${name} < SETTINGS`,
    flags: {},
    run: async (call) => {
      const settings = parseCutover(await call.stdin(), call.env);
      call.print(JSON.stringify(await stage(settings, call.log)));
      return ExitCode.done;
    },
  };
}

/** By the name that a resource calls it by. */
export const commands = {
  "cutover-freeze": cutoverFreeze,
  "cutover-check": cutoverCheck,
  "cutover-verify": cutoverVerify,
  "cutover-thaw": cutoverThaw,
  "cutover-resume": cutoverResume,
  "cutover-rehearse": cutoverRehearse,
  "cutover-prepare": cutoverPrepare,
  "cutover-pause": cutoverPause,
  "cutover-copy": cutoverCopy,
  "cutover-complete": cutoverComplete,
  "cutover-or-back": cutoverOrBack,
} satisfies Record<string, Command>;

import * as v from "valibot";
import { type Command, queryCommand } from "../../cli/command.ts";
import { checkAsSource, checkCutover } from "../../cutover/check.ts";
import type { Log } from "../../cutover/session.ts";
import { type CutoverSettings, parseCutover } from "../../cutover/settings.ts";
import { reachComplete, reachCopy, reachVerify } from "../../cutover/stages/after-freeze.ts";
import { reachFreeze, reachPause, reachPrepare } from "../../cutover/stages/before-freeze.ts";
import { rehearse } from "../../cutover/stages/rehearse.ts";
import { reachResume } from "../../cutover/stages/resume.ts";
import { endCutover, rollBackAfterFailure } from "../../cutover/stages/rollback.ts";
import { watch } from "../../cutover/stages/watch.ts";
import { connectionFromEnvironment } from "../../postgres/connection.ts";
import { ExitCode, RefusedError } from "../../util/errors.ts";
import { keptVariables } from "../../util/kept-variables.ts";
import { parseRequest } from "../../util/request.ts";

const cutoverFreeze = cutoverCommand(
  "cutover-freeze",
  "makes the source read-only and verifies it",
  reachFreeze,
);

const CheckRequest = v.object({
  settings: v.string("the cutover's settings"),
  wait: v.boolean("true or false"),
  switching: v.boolean("true or false"),
});

const cutoverCheck = queryCommand<v.InferOutput<typeof CheckRequest>>(
  "cutover-check",
  "tells whether a switch was completed, what keeps the source from being written to, and whether a copy is out of date",
  ({ settings, ...how }, environment, log) => checkCutover(parseCutover(settings, environment), log, how),
  CheckRequest,
);

const cutoverSourceCheck = queryCommand<object>(
  "cutover-source-check",
  "tells which stacks follow a database, and where it has moved",
  (_, environment) => checkAsSource(connectionFromEnvironment(environment)),
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

/** A command's request, and the settings of the cutover that waits for it; PGSTACK_CUTOVER leads to its servers. */
const Guarded = v.object({
  cutover: v.string("the cutover's settings"),
  request: v.string("the command's request"),
});

/** The ways to the servers of the cutover that waits. They are kept by the update that runs the command. */
function waysOf({ PGSTACK_CUTOVER: path = "", PGSTACK_CONNECTION_KEY: key = "" }: NodeJS.ProcessEnv) {
  const variables = keptVariables(path, key);
  if (variables === undefined)
    throw new RefusedError(
      "Expected the ways to a cutover's servers in PGSTACK_CUTOVER, found none. Run the update again.",
    );
  return variables;
}

const cutoverWatch: Command = {
  summary:
    "ends a pause and a freeze that take longer than cutover.maxFreeze, whatever has become of the run",
  usage: "cutover-watch < SETTINGS, on one line; standard input stays open as long as the run lives",
  flags: {},
  run: async (call) => {
    const lines = call.lines()[Symbol.asyncIterator]();
    const { value } = await lines.next();
    await watch(
      parseCutover(value ?? "", call.env),
      call.log,
      lines.next().then(() => {}),
    );
    return ExitCode.done;
  },
};

const cutoverOrBack: Command = {
  summary: "runs another command, on which a switch waits; where it fails, the cutover is rolled back",
  usage: "cutover-or-back COMMAND < GUARDED, with PGSTACK_CUTOVER in the environment",
  flags: {},
  run: async (call) => {
    const [name = "", ...words] = call.words;
    const command = await call.internal(name);
    if (command === undefined) throw new RefusedError(`Expected an internal command, found "${name}"`);
    const guarded = parseRequest(Guarded, await call.stdin(), "a command's request and a cutover's settings");
    const cutover = parseCutover(guarded.cutover, waysOf(call.env));
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
  "cutover-source-check": cutoverSourceCheck,
  "cutover-verify": cutoverVerify,
  "cutover-thaw": cutoverThaw,
  "cutover-resume": cutoverResume,
  "cutover-rehearse": cutoverRehearse,
  "cutover-prepare": cutoverPrepare,
  "cutover-pause": cutoverPause,
  "cutover-copy": cutoverCopy,
  "cutover-complete": cutoverComplete,
  "cutover-watch": cutoverWatch,
  "cutover-or-back": cutoverOrBack,
} satisfies Record<string, Command>;

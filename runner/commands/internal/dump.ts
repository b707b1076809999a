import { type Command, previousOutput } from "../../cli/command.ts";
import { type DumpSummary, deleteDump, ensureDump, parseDumpSettings } from "../../dump/ensure.ts";
import { asUser, type ConnectionSettings, connectionFromEnvironment } from "../../postgres/connection.ts";
import { withInterrupt } from "../../postgres/run-program.ts";
import { ExitCode } from "../../util/errors.ts";

/** The owner's login, as the resource gives it beside the administrator's. */
function ownerOf(env: NodeJS.ProcessEnv, source: ConnectionSettings): ConnectionSettings | undefined {
  const { PGSTACK_OWNER_USER: user, PGSTACK_OWNER_PASSWORD: password } = env;
  return user && password ? asUser(source, { user, password }) : undefined;
}

const dumpEnsure: Command = {
  summary: "makes the dump with a label where there is none; prints its report",
  usage: "dump-ensure < SETTINGS",
  flags: {},
  run: async (call) => {
    const settings = parseDumpSettings(await call.stdin());
    const source = connectionFromEnvironment(call.env);
    const owner = ownerOf(call.env, source);
    const previous = previousOutput<DumpSummary>(call.env);
    const report = await withInterrupt((signal) =>
      ensureDump(settings, { source, owner, previous }, call, signal),
    );
    for (const name of report.leftOut) call.log(`left out: ${name}`);
    call.print(JSON.stringify(report));
    return ExitCode.done;
  },
};

const dumpDelete: Command = {
  summary: "removes the dump with a label, and its report",
  usage: "dump-delete < SETTINGS",
  flags: {},
  run: async ({ stdin, log }) => {
    for (const path of await deleteDump(parseDumpSettings(await stdin()))) log(`removed ${path}`);
    return ExitCode.done;
  },
};

/** By the name that a resource calls it by. */
export const commands = { "dump-ensure": dumpEnsure, "dump-delete": dumpDelete } satisfies Record<
  string,
  Command
>;

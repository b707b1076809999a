import type { Client } from "pg";
import type { Call, Command } from "../cli/command.ts";
import { directoryFlag, jsonFlag, resolveTarget, targetFlags } from "../cli/target.ts";
import { settingsOf } from "../migrations/cli-options.ts";
import { type ConnectionSettings, connectionFromUrl, withClient } from "../postgres/connection.ts";
import { findServer } from "../postgres/embedded/server.ts";
import { findPrograms, type Programs } from "../postgres/programs.ts";
import { readServerVersion } from "../postgres/server-version.ts";
import type { Revision, RevisionRequest } from "../revision/autogenerate.ts";
import { readModels } from "../revision/models.ts";
import { withScratchServer } from "../scratch/server.ts";
import { meanwhile } from "../util/background.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";
import { projectPath, projectRoot } from "../util/project.ts";

const usage =
  "revision DESCRIPTION (--stack S | --url URL | --from migrations) [--rename OLD=NEW] [--ignore PATTERN] " +
  "[--online] [--check] [--json] [--directory DIR] [--models DIR] [--scratch-url URL]";

function listOf(value: Call["flags"][string]): string[] {
  return (Array.isArray(value) ? value : []).map(String);
}

const directoryOf = (call: Call) => projectPath(settingsOf(call).directory);

const text = (value: Call["flags"][string], otherwise: string) =>
  typeof value === "string" ? value : otherwise;

function descriptionOf({ words, flags }: Call): string {
  const [description = ""] = words;
  if (words.length > 1 || (description.trim() === "" && flags.check !== true))
    throw new RefusedError(`Expected one description, found ${words.length}\nUsage: ./pgstack ${usage}`);
  return description;
}

type Core = typeof import("../revision/autogenerate.ts");

/** The live database, when a revision starts from it. */
interface Start {
  readonly client: Client;
  readonly major: number;
}

function report(call: Call, { files, problems, hints }: Revision): ExitCode {
  if (files.length === 0 && problems.length === 0)
    call.log("The models and the database do not differ: nothing to write.");
  for (const line of hints) call.log(line);
  if (problems.length > 0) call.log("Not proved. What still differs:");
  for (const line of problems) call.log(`  ${line}`);
  if (call.flags.json === true) call.print(JSON.stringify({ files, problems, hints }));
  else for (const file of files) call.print(file);
  return problems.length === 0 ? ExitCode.done : ExitCode.differs;
}

async function work(call: Call, core: Core, request: RevisionRequest): Promise<ExitCode> {
  if (call.flags.check !== true) {
    const place = { directory: directoryOf(call), description: descriptionOf(call), now: new Date() };
    return report(call, await core.autogenerate(request, place));
  }
  const { differences, hints } = await core.check(request);
  for (const line of hints) call.log(line);
  if (call.flags.json === true) call.print(JSON.stringify({ differences, hints }));
  else for (const line of differences) call.print(line);
  return differences.length === 0 ? ExitCode.done : ExitCode.differs;
}

async function withStart<T>(call: Call, use: (start: Start | undefined) => Promise<T>): Promise<T> {
  const from = text(call.flags.from, "current");
  if (from === "migrations") return use(undefined);
  if (from !== "current") throw new RefusedError(`--from takes current or migrations, found "${from}"`);
  return withClient(resolveTarget(call), async (client) =>
    use({ client, ...(await readServerVersion(client)) }),
  );
}

/** The scratch server that was started before the database had answered is of another version than the database. */
class OtherMajor extends Error {
  readonly major: number;

  constructor(major: number) {
    super(`the scratch server has to be of PostgreSQL ${major}`);
    this.major = major;
  }
}

/** The newest server starts before the database is asked for its version. Another version makes `run` begin again with `major`. */
async function programsFor(
  call: Call,
  url: ConnectionSettings | undefined,
  major?: number,
): Promise<Programs> {
  if (url !== undefined) return findPrograms("pg_dump");
  return findServer(call.log, major === undefined ? undefined : { major });
}

/** What reads a database, as soon as the scratch server is on its way. */
async function loadReader(programs: Promise<Programs>): Promise<typeof import("../revision/comparison.ts")> {
  await programs;
  return import("../revision/comparison.ts");
}

async function runWith(call: Call, major?: number): Promise<ExitCode> {
  const scratchUrl = call.flags["scratch-url"];
  const url = typeof scratchUrl === "string" ? connectionFromUrl(scratchUrl, call.env) : undefined;
  const lists = { ignore: listOf(call.flags.ignore), renames: listOf(call.flags.rename) };
  const online = call.flags.online === true;
  const programs = programsFor(call, url, major);
  return withScratchServer({ programs, url }, (opening) => {
    const reader = meanwhile(loadReader(programs));
    return withStart(call, async (start) => {
      const origin = (await reader).originOf(start?.client, directoryOf(call));
      const core = await import("../revision/autogenerate.ts"); // loads slowly: the databases work meanwhile
      const models = await readModels(projectPath(text(call.flags.models, "models")), projectRoot);
      const scratch = await opening;
      if (start !== undefined && url === undefined && start.major !== scratch.programs.major)
        throw new OtherMajor(start.major);
      return work(call, core, { ...scratch, ...lists, online, models, origin });
    });
  });
}

async function run(call: Call): Promise<ExitCode> {
  descriptionOf(call);
  try {
    return await runWith(call);
  } catch (error) {
    if (!(error instanceof OtherMajor)) throw error;
    return runWith(call, error.major);
  }
}

export default {
  summary: "writes a migration, proved both ways, that leads from a database to the models",
  usage,
  flags: {
    ...targetFlags,
    from: { type: "string", value: "START", about: "current (the database) or migrations (the files alone)" },
    rename: { type: "string", multiple: true, value: "OLD=NEW", about: "a rename, not a drop and a create" },
    ignore: { type: "string", multiple: true, value: "PATTERN", about: "leave these objects alone" },
    online: { type: "boolean", about: "write statements that keep nobody waiting for long" },
    check: { type: "boolean", about: "write nothing; say what differs (exit code 3)" },
    json: jsonFlag,
    directory: directoryFlag,
    models: { type: "string", value: "DIR", about: "where the models are (default: models)" },
    "scratch-url": {
      type: "string",
      value: "URL",
      about: "a server for scratch databases instead of one of its own",
    },
  },
  run,
} satisfies Command;

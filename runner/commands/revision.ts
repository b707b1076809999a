import type { Client } from "pg";
import type { Call, Command } from "../cli/command.ts";
import { resolveTarget, targetFlags } from "../cli/target.ts";
import { connectionFromUrl, withClient } from "../postgres/connection.ts";
import { choosePrograms, installedPrograms, type Programs } from "../postgres/programs.ts";
import type { Revision, RevisionRequest } from "../revision/autogenerate.ts";
import { readModels } from "../revision/models.ts";
import { withScratchServer } from "../scratch/server.ts";
import { meanwhile } from "../util/background.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";
import { projectPath, projectRoot } from "../util/project.ts";

const usage =
  "revision DESCRIPTION (--stack S | --url URL | --from migrations) [--rename OLD=NEW] [--ignore PATTERN] " +
  "[--check] [--json] [--directory DIR] [--models DIR] [--scratch-url URL]";

function listOf(value: Call["flags"][string]): string[] {
  return (Array.isArray(value) ? value : []).map(String);
}

const directoryOf = ({ flags }: Call) => projectPath(text(flags.directory, "migrations"));

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

async function majorOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ version: string }>(
    "SELECT current_setting('server_version_num') AS version",
  );
  return Math.floor(Number(rows[0]?.version) / 10_000);
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
  const found = await core.differences(request);
  if (call.flags.json === true) call.print(JSON.stringify({ differences: found }));
  else for (const line of found) call.print(line);
  return found.length === 0 ? ExitCode.done : ExitCode.differs;
}

async function withStart<T>(call: Call, use: (start: Start | undefined) => Promise<T>): Promise<T> {
  const from = text(call.flags.from, "current");
  if (from === "migrations") return use(undefined);
  if (from !== "current") throw new RefusedError(`--from takes current or migrations, found "${from}"`);
  return withClient(resolveTarget(call), async (client) => use({ client, major: await majorOf(client) }));
}

/** Where one major version is installed, its server starts before the database is asked for its own; a wrong one is refused later. */
async function programsFor(program: string, start: Promise<Start | undefined>): Promise<Programs> {
  const found = await installedPrograms(program);
  const [newest, ...others] = found;
  const certain = newest !== undefined && others.every(({ major }) => major === newest.major);
  return certain ? newest : choosePrograms(found, program, await start);
}

/** What reads a database, as soon as the scratch server is on its way. */
async function loadReader(programs: Promise<Programs>): Promise<typeof import("../revision/comparison.ts")> {
  await programs;
  return import("../revision/comparison.ts");
}

async function run(call: Call): Promise<ExitCode> {
  descriptionOf(call);
  const scratchUrl = call.flags["scratch-url"];
  const url = typeof scratchUrl === "string" ? connectionFromUrl(scratchUrl, call.env) : undefined;
  const program = url === undefined ? "initdb" : "pg_dump";
  const lists = { ignore: listOf(call.flags.ignore), renames: listOf(call.flags.rename) };
  const known = Promise.withResolvers<Start | undefined>();
  const programs = programsFor(program, meanwhile(known.promise));
  return withScratchServer({ programs, url }, (opening) => {
    const reader = meanwhile(loadReader(programs));
    const done = withStart(call, async (start) => {
      known.resolve(start);
      const origin = (await reader).originOf(start?.client, directoryOf(call));
      const core = await import("../revision/autogenerate.ts"); // loads slowly: the databases work meanwhile
      const models = await readModels(projectPath(text(call.flags.models, "models")), projectRoot);
      const scratch = await opening;
      choosePrograms([scratch.programs], program, start);
      return work(call, core, { ...scratch, ...lists, models, origin });
    });
    done.catch(known.reject);
    return done;
  });
}

export default {
  summary: "writes a migration, proved both ways, that leads from a database to the models",
  usage,
  flags: {
    ...targetFlags,
    from: { type: "string" },
    rename: { type: "string", multiple: true },
    ignore: { type: "string", multiple: true },
    check: { type: "boolean" },
    json: { type: "boolean" },
    directory: { type: "string" },
    models: { type: "string" },
    "scratch-url": { type: "string" },
  },
  run,
} satisfies Command;

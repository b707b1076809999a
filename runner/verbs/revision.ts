import { type ConnectionSettings, connectionFromUrl, withClient } from "../connection.ts";
import { projectPath, projectRoot } from "../project.ts";
import { autogenerate, differences, type RevisionRequest } from "../revision/autogenerate.ts";
import { readModels } from "../revision/models.ts";
import { withScratchServer } from "../revision/scratch-server.ts";
import { resolveTarget, targetFlags } from "../target.ts";
import { ExitCode, RefusedError } from "../user-error.ts";
import type { Call, Verb } from "../verb.ts";

const usage =
  "revision DESCRIPTION (--stack S | --url URL) [--ignore PATTERN] " +
  "[--check] [--directory DIR] [--models DIR] [--scratch-url URL]";

function listOf(value: Call["flags"][string]): string[] {
  return (Array.isArray(value) ? value : []).map(String);
}

const text = (value: Call["flags"][string], otherwise: string) =>
  typeof value === "string" ? value : otherwise;

function descriptionOf({ words, flags }: Call): string {
  const [description = ""] = words;
  if (words.length > 1 || (description.trim() === "" && flags.check !== true))
    throw new RefusedError(`Expected one description, found ${words.length}\nUsage: ./pgstack ${usage}`);
  return description;
}

async function majorOf(settings: ConnectionSettings): Promise<number> {
  return withClient(settings, async (client) => {
    const { rows } = await client.query<{ version: string }>(
      "SELECT current_setting('server_version_num') AS version",
    );
    return Math.floor(Number(rows[0]?.version) / 10_000);
  });
}

async function work(
  call: Call,
  live: ConnectionSettings,
  request: Omit<RevisionRequest, "origin">,
): Promise<ExitCode> {
  const description = descriptionOf(call);
  return withClient(live, async (client) => {
    const whole = { ...request, origin: { live: client } };
    if (call.flags.check === true) {
      const found = await differences(whole);
      for (const line of found) call.print(line);
      return found.length === 0 ? ExitCode.done : ExitCode.differs;
    }
    const directory = projectPath(text(call.flags.directory, "migrations"));
    const { files, problems } = await autogenerate(whole, { directory, description, now: new Date() });
    if (files.length === 0) call.log("The models and the database do not differ: nothing to write.");
    for (const file of files) call.print(file);
    for (const line of problems) call.log(line);
    return problems.length === 0 ? ExitCode.done : ExitCode.differs;
  });
}

async function run(call: Call): Promise<ExitCode> {
  descriptionOf(call);
  const live = resolveTarget(call);
  const scratchUrl = call.flags["scratch-url"];
  const scratch = typeof scratchUrl === "string" ? connectionFromUrl(scratchUrl, call.env) : undefined;
  const models = await readModels(projectPath(text(call.flags.models, "models")), projectRoot);
  return withScratchServer({ major: await majorOf(live), url: scratch }, (scratch) =>
    work(call, live, { ...scratch, models, ignore: listOf(call.flags.ignore) }),
  );
}

export default {
  summary: "writes a migration, proved both ways, that leads from a database to the models",
  usage,
  flags: {
    ...targetFlags,
    ignore: { type: "string", multiple: true },
    check: { type: "boolean" },
    directory: { type: "string" },
    models: { type: "string" },
    "scratch-url": { type: "string" },
  },
  run,
} satisfies Verb;

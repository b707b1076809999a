import { basename } from "node:path";
import { type Baseline, writeBaseline } from "../adopt/baseline.ts";
import { type Findings, propose } from "../adopt/proposal.ts";
import { readInstance } from "../adopt/read-instance.ts";
import { stackFile, writeStackFile } from "../adopt/stack-file.ts";
import type { Command } from "../cli/command.ts";
import { targetFlags } from "../cli/target.ts";
import { defaultSettings } from "../config/migrations.ts";
import { type ConnectionSettings, connectionFromUrl, withClient } from "../postgres/connection.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";

/** A project without migrations gets its first from the database. */
async function baselineFor(
  { baseline, recorded, database }: Findings,
  settings: ConnectionSettings,
  log: (line: string) => void,
): Promise<Baseline | undefined> {
  const place = { migrations: projectPath(defaultSettings.directory), models: projectPath("models") };
  if (baseline !== undefined || recorded || database.tables === 0) return undefined;
  return writeBaseline(settings, place, log);
}

function describeBaseline({ names, models, problems }: Baseline): string[] {
  return [
    ...names.map((name) => `migrations/${name}.sql is written`),
    ...(models === undefined ? [] : [`models/${basename(models)} is written`]),
    ...(problems.length > 0
      ? ["Not in the baseline, or otherwise:", ...problems.map((line) => `- ${line}`)]
      : []),
  ];
}

const adopt: Command = {
  summary: "writes the configuration of a stack that takes over a database as it is",
  usage: "adopt --url URL --stack S",
  flags: targetFlags,
  stackWord: 0,
  run: async ({ flags: { url, stack }, env, print, log }) => {
    if (typeof url !== "string" || typeof stack !== "string")
      throw new RefusedError(
        "Expected --url URL (as the server's administrator, of the application's database) and --stack S",
      );
    const settings = connectionFromUrl(url, env);
    const found = await withClient(settings, (client) => readInstance(client, settings));
    const written = await baselineFor(found, settings, log);
    const { config, remarks } = propose({ ...found, baseline: found.baseline ?? written?.names.at(-1) });
    const copy = writeStackFile(stack, config);
    print(`${stackFile(stack)} is written${copy === undefined ? "" : `; the one before is ${copy}`}`);
    for (const line of written === undefined ? [] : describeBaseline(written)) print(line);
    if (remarks.length > 0) print("What it cannot say:");
    for (const remark of remarks) print(`- ${remark}`);
    print(
      `Next: ./pgstack preview ${stack}, which shows imports only; then up, and docs/adopting.md says how to continue.`,
    );
    return ExitCode.done;
  },
};

export default adopt;

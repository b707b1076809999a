import { relative } from "node:path";
import type { Command } from "../cli/command.ts";
import { directoryFlag } from "../cli/target.ts";
import { defaultSettings } from "../config/migrations.ts";
import { importMigrations } from "../migrations/import/import.ts";
import { ExitCode, RefusedError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";

const importCommand: Command = {
  summary:
    "writes the SQL migrations of Flyway, dbmate, golang-migrate, Diesel, Prisma or node-pg-migrate in the format of pgstack",
  usage: "import FOLDER [--directory DIR]",
  flags: { directory: directoryFlag },
  run: async ({ words, flags, print, log }) => {
    const [folder, ...more] = words;
    if (folder === undefined || more.length > 0)
      throw new RefusedError(`Expected one folder of migrations, found ${words.length}.`);
    const directory = projectPath(String(flags.directory ?? defaultSettings.directory));
    const { tool, files, leftOut } = importMigrations(folder, directory);
    for (const { name } of files) print(`${relative(process.cwd(), directory) || "."}/${name}.sql`);
    const irreversible = files.filter(({ reversible }) => !reversible).length;
    log(`${files.length} migrations of ${tool}, ${irreversible} of them without a down migration.`);
    if (leftOut.length > 0)
      log(
        `Left out, since they run again whenever they change: ${leftOut.join(", ")}. Put what they make into models.`,
      );
    log(
      `For a database that has them: migrations: { baseline: ${files.at(-1)?.name}, adopt: true } in the stack's file.`,
    );
    return ExitCode.done;
  },
};

export default importCommand;

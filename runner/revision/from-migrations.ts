import { applyMigrations } from "../migrations/apply.ts";
import { readMigrations } from "../migrations/directory.ts";
import { defaultSettings } from "../migrations/settings.ts";
import type { ScratchDatabase } from "./scratch-database.ts";
import { createRoles } from "./scratch-roles.ts";

const missingRole = /role "(.*)" does not exist/;

/** Runs the migrations of a folder on an empty scratch database; roles that they take as given are made on the way. */
export async function fillFrom(directory: string, { settings, client }: ScratchDatabase): Promise<void> {
  const files = await readMigrations(directory, directory);
  const kept = () => new Set(files.map(({ name }) => name));
  const request = {
    access: { owner: settings },
    files,
    kept,
    leaving: new Set<string>(),
    settings: defaultSettings,
  };
  for (let before = ""; ; ) {
    try {
      await applyMigrations({ ...request, log: () => {} });
      return;
    } catch (error) {
      const role = (error as Error).message.match(missingRole)?.[1];
      if (role === undefined || role === before) throw error;
      before = role;
      await createRoles(client, [role]);
    }
  }
}

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RefusedError, UserError } from "../user-error.ts";
import type { MigrationFile } from "./migration.ts";
import { compareNames, revisionOf } from "./revision.ts";
import { parseSqlFile } from "./sql-file.ts";
import { decode } from "./text.ts";
import { parseTypeScriptFile } from "./typescript-file.ts";

function readMigration(directory: string, label: string, fileName: string): MigrationFile {
  const file = join(label, fileName);
  const name = fileName.replace(/\.(sql|ts)$/, "");
  if (revisionOf(name) === undefined)
    throw new RefusedError(
      `${file}: expected a name of the form <revision>_<slug>.sql, the revision in digits, of letters, digits, "_", "-" and "." only`,
    );
  const text = decode(readFileSync(join(directory, fileName)), file);
  return fileName.endsWith(".ts") ? parseTypeScriptFile(text, name, file) : parseSqlFile(text, name, file);
}

function findDuplicates(migrations: readonly MigrationFile[]): string[] {
  return migrations.flatMap((one, index) => {
    const before = migrations[index - 1];
    return before !== undefined && revisionOf(before.name) === revisionOf(one.name)
      ? [`${one.file}: has the revision of ${before.file}; give one of them another number`]
      : [];
  });
}

/**
 * Reads every `.sql` and `.ts` file of a directory, in the order of revisions. Other files and folders are left alone.
 * @param label what the directory is called in messages
 * Throws RefusedError with every fault of every file.
 */
export function readMigrations(directory: string, label = directory): MigrationFile[] {
  if (!existsSync(directory))
    throw new RefusedError(`The folder of migrations "${directory}" does not exist.`);
  const faults: string[] = [];
  const found = readdirSync(directory, { withFileTypes: true })
    .filter(
      (entry) => !entry.isDirectory() && /\.(sql|ts)$/.test(entry.name) && !entry.name.endsWith(".d.ts"),
    )
    .flatMap((entry) => {
      try {
        return [readMigration(directory, label, entry.name)];
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        faults.push(error.message);
        return [];
      }
    })
    .sort((a, b) => compareNames(a.name, b.name));
  const all = [...faults.sort(), ...findDuplicates(found)];
  if (all.length > 0) throw new RefusedError(all.join("\n"));
  return found;
}

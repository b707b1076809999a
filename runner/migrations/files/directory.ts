import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as othersTurn } from "node:timers/promises";
import { RefusedError, UserError } from "../../util/errors.ts";
import { compareNames, revisionOf } from "../plan/order.ts";
import { decode } from "./checksum.ts";
import { parseSqlFile } from "./sql-file.ts";
import type { MigrationFile } from "./types.ts";
import { parseTypeScriptFile } from "./typescript-file.ts";

function readBytes(path: string, file: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new RefusedError(`${file}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function readMigration(directory: string, label: string, fileName: string): MigrationFile {
  const file = join(label, fileName);
  const name = fileName.replace(/\.(sql|ts)$/, "");
  if (name === fileName)
    throw new RefusedError(`${file}: expected an ending in small letters, .sql or .ts; rename it`);
  if (revisionOf(name) === undefined)
    throw new RefusedError(
      `${file}: expected a name of the form <revision>_<slug>.sql, the revision in digits, of letters, digits, "_", "-" and "." only`,
    );
  const text = decode(readBytes(join(directory, fileName), file), file);
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

/** Names that begin with a dot are other programs': an editor's lock and copy (`.#x.sql`), macOS's attributes (`._x.sql`). */
function isMigration(entry: Dirent): boolean {
  return (
    !entry.isDirectory() &&
    !entry.name.startsWith(".") &&
    /\.(sql|ts)$/i.test(entry.name) &&
    !entry.name.endsWith(".d.ts")
  );
}

/** So many files are read at a stretch; what else the process has to do comes in between. */
const stretch = 25;

/**
 * Reads every `.sql` and `.ts` file of a directory, in the order of revisions. Other files and folders are left alone.
 * @param label what the directory is called in messages
 * Throws RefusedError with every fault of every file.
 */
export async function readMigrations(directory: string, label = directory): Promise<MigrationFile[]> {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
    throw new RefusedError(`The folder of migrations "${directory}" does not exist.`);
  const faults: string[] = [];
  const found: MigrationFile[] = [];
  for (const [index, { name }] of readdirSync(directory, { withFileTypes: true })
    .filter(isMigration)
    .entries()) {
    if (index % stretch === 0) await othersTurn();
    try {
      found.push(readMigration(directory, label, name));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      faults.push(error.message);
    }
  }
  found.sort((a, b) => compareNames(a.name, b.name));
  const all = [...faults.sort(), ...findDuplicates(found)];
  if (all.length > 0) throw new RefusedError(all.join("\n"));
  return found;
}

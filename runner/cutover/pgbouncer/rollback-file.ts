import { existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { RefusedError } from "../../util/errors.ts";

/**
 * What a cutover must remember to redirect PgBouncer's clients back. The file stands beside the configuration, from
 * before the pause until the clients are back at the source. Its owner alone may read it, since a connect string may hold
 * a password.
 */
export interface RollbackFile {
  /** The stack whose cutover it is. */
  readonly holder: string;
  /** Names for clients, with their connect strings before. */
  readonly entries: readonly { readonly name: string; readonly text: string }[];
  /** True once the clients have been sent to the target. */
  readonly moved: boolean;
}

function rollbackFilePath(configFile: string, database: string): string {
  const file = existsSync(configFile) ? realpathSync(configFile) : configFile;
  return `${file}.pgstack-${encodeURIComponent(database)}`;
}

/** The note on a source's database, or undefined. */
export function readRollbackFile(configFile: string, database: string): RollbackFile | undefined {
  const file = rollbackFilePath(configFile, database);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

/** When the file was written, in milliseconds since 1970. */
export function rollbackFileTime(configFile: string, database: string): number {
  return statSync(rollbackFilePath(configFile, database)).mtimeMs;
}

/** Throws RefusedError where the folder of the configuration cannot be written to. */
export function writeRollbackFile(configFile: string, database: string, note: RollbackFile): void {
  const file = rollbackFilePath(configFile, database);
  try {
    writeFileSync(`${file}.new`, JSON.stringify(note), { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw new RefusedError(`Cannot write the PgBouncer rollback file ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

export function removeRollbackFile(configFile: string, database: string): void {
  rmSync(rollbackFilePath(configFile, database), { force: true });
}

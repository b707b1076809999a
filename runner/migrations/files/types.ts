import { RefusedError } from "../../util/errors.ts";

/** How a script of a migration runs; what is left out comes from the settings of the run. */
export interface SectionOptions {
  /** False for `transaction=off`: each statement commits by itself. */
  readonly transaction: boolean;
  /** PostgreSQL's lock_timeout in milliseconds. */
  readonly lockTimeout?: number;
  /** PostgreSQL's statement_timeout in milliseconds. */
  readonly statementTimeout?: number;
}

export type Language = "sql" | "js";

/** One migration, whole: what it takes to run it and to take it back. */
export interface Migration {
  /** The file's name without its ending, `<revision>_<slug>`. */
  readonly name: string;
  /** `js` for a `.ts` file, its types stripped. */
  readonly language: Language;
  /** The script with its marker line and options; for `js` the whole module. */
  readonly up: string;
  /** As `up`; null where the migration is irreversible. */
  readonly down: string | null;
  /** SHA-256 (hex) of the up script, blind to line ends, BOM and trailing blanks. */
  readonly checksum: string;
}

/** A migration as a file holds it. */
export interface MigrationFile extends Migration {
  /** As it is named in messages, such as `migrations/20250101000000_init.sql`. */
  readonly file: string;
  /** Line of the file on which `up` and `down` begin. */
  readonly upLine: number;
  readonly downLine: number;
}

/** Throws RefusedError. */
export function refuseIrreversible(name: string): never {
  throw new RefusedError(
    `Migration ${name} is irreversible: it has no down script. Go forward with a new migration, or restore a dump.`,
  );
}

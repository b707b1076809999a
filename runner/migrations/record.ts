import type { Migration } from "./migration.ts";
import type { MigrationSettings } from "./settings.ts";

/** What a stack's record of one migration holds, and its end is given. */
export interface MigrationRecord extends Pick<Migration, "name" | "up" | "down" | "checksum"> {
  readonly settings: Pick<MigrationSettings, "table" | "lockTimeout" | "statementTimeout">;
}

import * as v from "valibot";
import { Migrations } from "../config/migrations.ts";

/** What to do with a migration whose revision is older than one that is applied already. */
export const outOfOrderRules = ["error", "apply"] as const;
export type OutOfOrder = (typeof outOfOrderRules)[number];

/** How migrations run; the same for a stack and for a database named by its URL. */
export interface MigrationSettings {
  /** Folder of the files, from the project's root. */
  readonly directory: string;
  /** History table, `schema.table`. */
  readonly table: string;
  /** `latest`, `0`, `-1`, a revision, or the unique beginning of a name. */
  readonly to: string;
  /** Milliseconds to wait for one lock of a table (PostgreSQL's lock_timeout); 0 waits for ever. */
  readonly lockTimeout: number;
  /** PostgreSQL's statement_timeout in milliseconds; 0 is no limit. */
  readonly statementTimeout: number;
  readonly outOfOrder: OutOfOrder;
  /** The migration that, with all before it, is one resource in the stack. */
  readonly baseline: string | null;
  /** Take over a database that already has the baseline's schema, after comparing the two. */
  readonly adopt: boolean;
}

/** What counts where nothing is configured: the defaults of `pgstack:migrations`. */
export const defaultSettings: MigrationSettings = v.parse(Migrations, {});

import * as v from "valibot";
import { Duration } from "./types.ts";

export const Migrations = v.strictObject({
  /** Folder with the migration files, relative to the project. */
  directory: v.optional(v.pipe(v.string("a folder"), v.nonEmpty("a folder")), "migrations"),
  /** The revision to be at: a name, a unique prefix, `-1` for one less than all, `0` for none, or `latest`. */
  to: v.optional(
    v.pipe(
      v.union([v.string(), v.number()], "a revision, 0 or latest"),
      v.transform(String),
      v.nonEmpty("a revision, 0 or latest"),
    ),
    "latest",
  ),
  /** Milliseconds that a statement waits for a lock before it gives up and tries again. */
  lockTimeout: v.optional(Duration, 5000),
  /** Milliseconds; 0 is none. */
  statementTimeout: v.optional(Duration, 0),
  /** What happens to a migration that sorts before one already applied. */
  outOfOrder: v.optional(v.picklist(["error", "apply"], "error or apply"), "error"),
  /** This migration and all before it are one resource and one run. */
  baseline: v.nullish(
    v.pipe(v.string("the name of a migration"), v.nonEmpty("the name of a migration")),
    null,
  ),
  /** Record the baseline as applied on a database that has its schema already, after comparing the two. */
  adopt: v.optional(v.boolean("true or false"), false),
  /** The table that keeps what is applied; another one for each application that shares a database. */
  table: v.optional(
    v.pipe(v.string("schema.table"), v.regex(/^[^.]+\.[^.]+$/, "schema.table")),
    "pgstack.migrations",
  ),
});
/** How migrations run: `pgstack:migrations`, the same for a database that is named by its URL. Durations are milliseconds. */
export type MigrationSettings = Readonly<v.InferOutput<typeof Migrations>>;

/** What counts where nothing is configured. */
export const defaultSettings: MigrationSettings = v.parse(Migrations, {});

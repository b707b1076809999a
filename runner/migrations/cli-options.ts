import * as v from "valibot";
import type { Flags } from "../cli/command.ts";
import { flagValue } from "../cli/flag-value.ts";
import {
  directoryFlag,
  jsonFlag,
  resolveAdminTarget,
  resolveTarget,
  stackFacts,
  type Target,
  targetFlags,
} from "../cli/target.ts";
import { defaultSettings, type MigrationSettings, Migrations } from "../config/migrations.ts";
import { describeFault } from "../config/parse.ts";
import { connectionFromUrl } from "../postgres/connection.ts";
import { RefusedError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";
import { readMigrations } from "./files/directory.ts";
import type { MigrationFile } from "./files/types.ts";
import type { Access } from "./run/session.ts";

/** The flags of every command that reads or runs migrations. */
export const migrationFlags: Flags = {
  ...targetFlags,
  directory: directoryFlag,
  table: { type: "string", value: "SCHEMA.TABLE", about: "the history table (default: pgstack.migrations)" },
};

/** The flags of commands that run them. */
export const runFlags: Flags = {
  ...migrationFlags,
  "lock-timeout": {
    type: "string",
    value: "TIME",
    about: "how long a statement waits for a lock, such as 5s",
  },
  "statement-timeout": { type: "string", value: "TIME", about: "how long a statement may run; 0: no limit" },
  "out-of-order": { type: "string", value: "RULE", about: "what to do with late files: error or apply" },
  json: jsonFlag,
};

export const runUsage =
  "[--directory DIR] [--table SCHEMA.TABLE] [--lock-timeout 5s] [--statement-timeout 0] [--out-of-order error|apply] [--json]";

/** A stack's own settings, or the defaults. Throws RefusedError with every fault of the stack's file. */
function stackSettings(call: Target): MigrationSettings {
  if (call.flags.stack === undefined) return defaultSettings;
  const result = v.safeParse(Migrations, stackFacts(call).config.migrations ?? {});
  if (result.success) return result.output;
  throw new RefusedError(result.issues.map((issue) => describeFault("migrations", issue)).join("\n"));
}

/** The settings of a call: its flags, then the stack's, then the defaults. Throws RefusedError. */
export function settingsOf(call: Target): MigrationSettings {
  const { entries } = Migrations;
  const settings = stackSettings(call);
  return {
    ...settings,
    directory: flagValue(entries.directory, call, "directory", settings.directory),
    table: flagValue(entries.table, call, "table", settings.table),
    lockTimeout: flagValue(entries.lockTimeout, call, "lock-timeout", settings.lockTimeout),
    statementTimeout: flagValue(
      entries.statementTimeout,
      call,
      "statement-timeout",
      settings.statementTimeout,
    ),
    outOfOrder: flagValue(entries.outOfOrder, call, "out-of-order", settings.outOfOrder),
  };
}

/** The files of a call's directory. */
export function filesOf({ directory }: Pick<MigrationSettings, "directory">): Promise<MigrationFile[]> {
  return readMigrations(projectPath(directory), directory);
}

/** Who a call connects as: the URL's user, or the stack's owner; an adopted one by the admin, who knows no password of it. */
export function accessOf(call: Target): Access {
  const owner = resolveTarget(call);
  return call.flags.stack === undefined ? { owner } : { owner, admin: resolveAdminTarget(call) };
}

/** As `accessOf`, for a command that changes a database without its stack. */
export function accessWithoutStack(call: Target): Access {
  const { url, stack } = call.flags;
  if (typeof url !== "string" || stack !== undefined)
    throw new RefusedError(
      "Expected --url URL. On a stack, ./pgstack changes the stack's migrations.to and runs pulumi up, so that state and database agree.",
    );
  return { owner: connectionFromUrl(url, call.env) };
}

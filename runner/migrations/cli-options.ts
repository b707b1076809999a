import type { Flags } from "../cli/command.ts";
import {
  directoryFlag,
  jsonFlag,
  resolveAdminTarget,
  resolveTarget,
  stackFacts,
  type Target,
  targetFlags,
} from "../cli/target.ts";
import { connectionFromUrl } from "../postgres/connection.ts";
import { durationOf } from "../util/duration.ts";
import { RefusedError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";
import { readMigrations } from "./files/directory.ts";
import type { MigrationFile } from "./files/types.ts";
import type { Access } from "./run/session.ts";
import { defaultSettings, type MigrationSettings, type OutOfOrder, outOfOrderRules } from "./settings.ts";

/** The flags of every verb that reads or runs migrations. */
export const migrationFlags: Flags = {
  ...targetFlags,
  directory: directoryFlag,
  table: { type: "string", value: "SCHEMA.TABLE", about: "the history table (default: pgstack.migrations)" },
};

/** The flags of verbs that run them. */
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

type Raw = Partial<Record<keyof MigrationSettings, string | number | boolean | null>>;

/** A stack's own settings, as they stand in its file: validated by the stack's program, not here. */
function stackSettings(call: Target): Raw {
  return call.flags.stack === undefined ? {} : ((stackFacts(call).config.migrations ?? {}) as Raw);
}

function ruleOf(value: string): OutOfOrder {
  const rule = outOfOrderRules.find((one) => one === value);
  if (rule === undefined)
    throw new RefusedError(`--out-of-order takes ${outOfOrderRules.join(" or ")}; found "${value}".`);
  return rule;
}

/** The settings of a call: its flags, then the stack's, then the defaults. Throws RefusedError. */
export function settingsOf(call: Target): MigrationSettings {
  const { flags } = call;
  const raw: Raw = { ...defaultSettings, ...stackSettings(call) };
  return {
    directory: String(flags.directory ?? raw.directory),
    table: String(flags.table ?? raw.table),
    to: String(raw.to),
    lockTimeout: durationOf(String(flags["lock-timeout"] ?? raw.lockTimeout)),
    statementTimeout: durationOf(String(flags["statement-timeout"] ?? raw.statementTimeout)),
    outOfOrder: ruleOf(String(flags["out-of-order"] ?? raw.outOfOrder)),
    baseline: raw.baseline == null ? null : String(raw.baseline),
    adopt: raw.adopt === true,
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

/** As `accessOf`, for a verb that changes a database without its stack. */
export function accessWithoutStack(call: Target): Access {
  const { url, stack } = call.flags;
  if (typeof url !== "string" || stack !== undefined)
    throw new RefusedError(
      "Expected --url URL. On a stack, ./pgstack changes the stack's migrations.to and runs pulumi up, so that state and database agree.",
    );
  return { owner: connectionFromUrl(url, call.env) };
}

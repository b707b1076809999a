import type { MigrationSettings } from "../../config/migrations.ts";
import { type Origin, readScript, type Script } from "../files/script.ts";
import type { Migration, MigrationFile } from "../files/types.ts";
import { refuseIrreversible } from "../files/types.ts";
import type { HistoryTable } from "../history/history.ts";
import type { StrayErrors } from "./module.ts";
import type { Session } from "./session.ts";

/** What every migration of one run shares; Umzug hands it to each as its context. */
export interface Run {
  readonly session: Session;
  readonly table: HistoryTable;
  readonly settings: Pick<MigrationSettings, "lockTimeout" | "statementTimeout">;
  /** What `.ts` migrations throw where nobody can catch it. */
  readonly strays: StrayErrors;
  readonly log: (line: string) => void;
}

/** One direction of a migration, ready to run. */
export interface Job {
  readonly migration: Migration;
  readonly direction: "up" | "down";
  /** The whole text: of the script, or of the module. */
  readonly section: string;
  /** The script; a module's is empty, since only running it shows its SQL. */
  readonly script: Script;
  readonly origin: Origin;
}

function jobOf(migration: Migration, direction: Job["direction"], section: string, origin: Origin): Job {
  const script = readScript(migration.language === "sql" ? section : "", origin);
  return { migration, direction, section, script, origin };
}

/** The up migration of a file. */
export function upJob(file: MigrationFile): Job {
  return jobOf(file, "up", file.up, { label: file.file, firstLine: file.upLine });
}

/** The down migration that the database holds. Throws RefusedError where there is none. */
export function downJob(applied: Migration): Job {
  if (applied.down === null) refuseIrreversible(applied.name);
  const origin = { label: `${applied.name}, down script as recorded`, firstLine: 1 };
  return jobOf(applied, "down", applied.down, origin);
}

/** The timeouts of a job in milliseconds: its script's options, else the settings. */
export function timeoutsOf({ settings }: Run, { script }: Job): Run["settings"] {
  const { lockTimeout = settings.lockTimeout, statementTimeout = settings.statementTimeout } = script.options;
  return { lockTimeout, statementTimeout };
}

import type { Output } from "../dump/progress.ts";
import type { HistoryTable } from "../migrations/history/history.ts";
import type { ConnectionSettings } from "../postgres/connection.ts";

/** A restore to be done. */
export interface RestoreRequest {
  /** The database to be replaced, as a user who may create databases and act as the owner. */
  readonly target: ConnectionSettings;
  /** The dump, as people gave it. */
  readonly path: string;
  /** The role that owns everything afterwards. */
  readonly owner: string;
  readonly jobs: number;
  /** The dump's SHA-256, where it is fixed. */
  readonly sha256: string | undefined;
  /** Path of an SQL script that is run before anyone else may connect. */
  readonly sanitize: string | undefined;
  /** Writes into the database which dump it came from (for resources, which ask before they restore again). */
  readonly record: boolean;
  /** Agrees to the loss of what the target holds. */
  readonly overwrite: boolean;
  /** The stack's history of migrations, which is made again after the restore; another one than our own is data. */
  readonly history?: HistoryTable | undefined;
  /** What a refusal tells people to set. */
  readonly overwriteFlag: string;
}

/** How a run is watched and ended from outside. */
export interface RunControl {
  readonly output: Output;
  /** Aborts when the run is asked to end. */
  readonly signal: AbortSignal;
}

import type { ArchiveEntry } from "../../dump/archive/parser.ts";
import type { Programs } from "../../postgres/programs.ts";
import type { RestorePlan } from "../preflight/plan.ts";
import type { FreshDatabase } from "../swap/fresh-database.ts";
import type { Frame } from "../swap/preserved.ts";
import type { Load } from "./load.ts";

/** All that filling a fresh database needs. */
export interface Filling {
  readonly fresh: FreshDatabase;
  readonly path: string;
  readonly plan: RestorePlan;
  readonly frame: Frame;
  readonly owner: string;
  readonly programs: Programs;
  /** The dump's. */
  readonly encoding: string;
  readonly jobs: number;
  readonly tablespaces: boolean;
  readonly signal: AbortSignal;
  readonly onTable: () => void;
  /** Measures a part of the work under a name. */
  readonly timed: <T>(part: string, work: () => Promise<T>) => Promise<T>;
}

/** The loading of chosen entries, as the owner unless it is said otherwise. */
export function loading(filling: Filling, entries: readonly ArchiveEntry[]): Load {
  return {
    programs: filling.programs,
    path: filling.path,
    connection: filling.fresh.admin,
    role: filling.owner,
    entries,
    sections: ["pre-data", "data", "post-data"],
    jobs: filling.jobs,
    tablespaces: filling.tablespaces,
    signal: filling.signal,
    onTable: filling.onTable,
  };
}

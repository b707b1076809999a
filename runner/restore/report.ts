import { entryLabel, rowsOf, tableData } from "../dump/archive/read.ts";
import type { RestoreContext } from "./context.ts";
import { missingTablespaces } from "./preflight/checks.ts";

/** What a restore did. */
export interface RestoreReport {
  /** The dump, as people gave it. */
  readonly path: string;
  readonly database: string;
  readonly owner: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Version of the server that was dumped. */
  readonly serverVersion: string;
  /** Version of pg_restore. */
  readonly programVersion: string;
  readonly tables: number;
  readonly rows: number;
  readonly seconds: number;
  /** Seconds by part of the work. */
  readonly parts: Readonly<Record<string, number>>;
  /** In the dump, and not for this owner or for a copy. */
  readonly leftOut: readonly string[];
  /** What should be there and is not, with the reason: the restore is not complete. */
  readonly incomplete: readonly string[];
  /** What is worth knowing. */
  readonly notes: readonly string[];
}

/** The report as things stand. */
export function reportOf(
  { request, prepared, clock, notes }: Pick<RestoreContext, "request" | "prepared" | "clock" | "notes">,
  incomplete: readonly string[],
): RestoreReport {
  const { dump, plan, programs, facts } = prepared;
  const { archive, checksum, report } = dump;
  const tablespaces = missingTablespaces(facts, archive);
  return {
    path: request.path,
    database: request.target.database,
    owner: request.owner,
    ...checksum,
    serverVersion: archive.serverVersion,
    programVersion: programs.version,
    tables: tableData(archive).length,
    rows: rowsOf(archive),
    seconds: (Date.now() - clock.began) / 1000,
    parts: { ...clock.parts },
    leftOut: plan.leftOut.map(entryLabel),
    incomplete: [...incomplete, ...(report?.leftOut ?? [])],
    notes: [
      ...archive.entries
        .filter(isNotValid)
        .map((entry) => `${entryLabel(entry)} is NOT VALID, as in the source`),
      ...tablespaces.map((name) => `the tablespace ${name} is not on this server: the default one was taken`),
      ...prepared.unrestored,
      ...notes,
    ],
  };
}

function isNotValid({ type, definition }: { type: string; definition: string }): boolean {
  return /CONSTRAINT$/.test(type) && /\bNOT VALID;$/.test(definition);
}
